import type { Role } from '@guildhall/protocol/roles.ts'
import { architect } from './architect.ts'
import { dataAnalyst } from './data-analyst.ts'
import { devManager } from './dev-manager.ts'
import { engineer } from './engineer.ts'
import { platformEngineer } from './platform-engineer.ts'
import { productManager } from './product-manager.ts'
import type { RoleFile } from './role.ts'

/** Every role by its word. A seventh is one more file and one more line. */
export const crew: Record<Role, RoleFile> = {
  dev_manager: devManager,
  product_manager: productManager,
  architect,
  engineer,
  platform_engineer: platformEngineer,
  data_analyst: dataAnalyst,
}
