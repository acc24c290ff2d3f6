import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { ToolName } from '@guildhall/protocol/crew.ts'
import type { Role } from '@guildhall/protocol/roles.ts'

/** All that the loop may know of a role. What it is told stands in its prompt; what it may do stands here. */
export interface RoleFile {
  role: Role
  /** Its seats are called "<name> 1", "<name> 2". */
  name: string
  /** Two letters for faces and lanes. */
  initials: string
  /** A tool that is not listed for the purpose is refused, whatever the model was offered. */
  tools: Record<RunPurpose, readonly ToolName[]>
  /** `edit` and `write` stay under these folders; null is the whole work tree. */
  writesUnder: readonly string[] | null
  limits: { steps: number; minutes: number }
}

export const looking = ['read', 'grep'] as const
export const building = ['read', 'edit', 'write', 'shell', 'grep', 'commit', 'finish'] as const
export const reviewing = ['read', 'grep', 'shell', 'verdict'] as const
export const usualLimits = { steps: 60, minutes: 30 }

/** The role in a sentence: "the platform engineer". */
export const called = ({ role }: RoleFile): string => role.replace('dev_manager', 'manager').replaceAll('_', ' ')
