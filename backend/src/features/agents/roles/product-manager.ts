import { looking, type RoleFile, usualLimits } from './role.ts'

/** Stories, criteria and validation, kept under `ai_docs/`. */
export const productManager: RoleFile = {
  role: 'product_manager',
  name: 'Product',
  initials: 'PM',
  tools: { plan: [], work: [...looking, 'edit', 'write', 'commit', 'finish'], review: [] },
  writesUnder: ['ai_docs/'],
  limits: usualLimits,
}
