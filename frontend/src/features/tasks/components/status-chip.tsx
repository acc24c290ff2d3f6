import type { Task } from '@guildhall/protocol/tasks.ts'
import { Chip } from '../../../components/ui/chip.tsx'
import { roleLook } from '../../../lib/roles.ts'
import { stateWord } from '../api.ts'

const colourOf = ({ state, role }: Task): string | undefined => {
  switch (state) {
    case 'merged':
      return 'var(--ok)'
    case 'working':
      return roleLook(role).colour
    case 'reviewing':
      return roleLook('architect').colour
    case 'checking':
    case 'merging':
      return 'var(--info)'
    case 'needs_you':
      return 'var(--warn)'
    case 'failed':
      return 'var(--bad)'
    default:
      return undefined
  }
}

export const StatusChip = ({ task }: { task: Task }) => <Chip colour={colourOf(task)}>{stateWord[task.state]}</Chip>
