import { Role } from '@guildhall/protocol/roles.ts'

/** A role has one colour, one pair of initials and one name everywhere. */
export interface RoleLook {
  name: string
  initials: string
  colour: string
}

const looks: Record<Role, RoleLook> = {
  dev_manager: { name: 'Manager', initials: 'DM', colour: 'var(--manager)' },
  product_manager: { name: 'Product', initials: 'PM', colour: 'var(--product)' },
  architect: { name: 'Architect', initials: 'AR', colour: 'var(--architect)' },
  engineer: { name: 'Engineer', initials: 'EN', colour: 'var(--engineer)' },
  platform_engineer: { name: 'Platform', initials: 'PL', colour: 'var(--platform)' },
  data_analyst: { name: 'Analyst', initials: 'DA', colour: 'var(--analyst)' },
}

export const roleLook = (role: Role): RoleLook => looks[role]
/** The order of the crew strip. */
export const roleOrder: readonly Role[] = Role.options
