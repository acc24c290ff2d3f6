import { looking, reviewing, type RoleFile, usualLimits } from './role.ts'

/** Decisions under `docs/decisions/`, and the eyes that did not write the change. */
export const architect: RoleFile = {
  role: 'architect',
  name: 'Architect',
  initials: 'AR',
  tools: {
    plan: [],
    work: [...looking, 'edit', 'write', 'shell', 'commit', 'finish'],
    review: reviewing,
  },
  writesUnder: ['docs/decisions/'],
  limits: usualLimits,
}
