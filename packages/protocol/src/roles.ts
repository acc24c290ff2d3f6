import { z } from 'zod'

/** The crew's roles. A seventh is one more word here and one more file in `agents/roles/`. */
export const Role = z.enum([
  'dev_manager',
  'product_manager',
  'architect',
  'engineer',
  'platform_engineer',
  'data_analyst',
])
export type Role = z.infer<typeof Role>
