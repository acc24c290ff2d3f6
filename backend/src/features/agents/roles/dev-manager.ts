import { looking, type RoleFile, usualLimits } from './role.ts'

/** Plans and assigns; never writes code. */
export const devManager: RoleFile = {
  role: 'dev_manager',
  name: 'Manager',
  initials: 'DM',
  tools: { plan: [...looking, 'plan'], work: [], review: [] },
  writesUnder: [],
  limits: { ...usualLimits, minutes: 15 },
}
