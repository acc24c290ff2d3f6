import { building, reviewing, type RoleFile, usualLimits } from './role.ts'

/** Code and tests. */
export const engineer: RoleFile = {
  role: 'engineer',
  name: 'Engineer',
  initials: 'EN',
  tools: { plan: [], work: building, review: reviewing },
  writesUnder: null,
  limits: usualLimits,
}
