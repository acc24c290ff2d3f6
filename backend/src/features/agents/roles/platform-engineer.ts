import { building, type RoleFile, usualLimits } from './role.ts'

/** Containers, CI and deployment files. */
export const platformEngineer: RoleFile = {
  role: 'platform_engineer',
  name: 'Platform',
  initials: 'PL',
  tools: { plan: [], work: building, review: [] },
  writesUnder: null,
  limits: usualLimits,
}
