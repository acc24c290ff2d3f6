import { building, type RoleFile, usualLimits } from './role.ts'

/** Schemas, migrations, queries, pipelines and charts. */
export const dataAnalyst: RoleFile = {
  role: 'data_analyst',
  name: 'Analyst',
  initials: 'DA',
  tools: { plan: [], work: building, review: [] },
  writesUnder: null,
  limits: usualLimits,
}
