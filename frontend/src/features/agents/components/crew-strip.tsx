import type { Agent } from '@guildhall/protocol/agents.ts'
import { Face, type FaceState } from '../../../components/face.tsx'
import { Tooltip } from '../../../components/ui/tooltip.tsx'
import { cn } from '../../../lib/cn.ts'
import { dollars } from '../../../lib/format.ts'
import { roleLook } from '../../../lib/roles.ts'
import { useProjectLog } from '../../realtime/api.ts'
import { activityOf, readCrew, seatName } from '../api.ts'

const faceState = (state: Agent['state']): FaceState => (state === 'failed' ? 'stuck' : state)

interface CrewStripProps {
  projectId: string
  onOpenTask(taskId: string): void
}

/** Who sits where and what each does right now. A seat with a task opens it. */
export function CrewStrip({ projectId, onOpenTask }: CrewStripProps) {
  const crew = useProjectLog(projectId, readCrew)
  return (
    <ul aria-label="Crew" className="flex min-w-0 items-center gap-1.5 overflow-x-auto [scrollbar-width:none]">
      {crew?.agents.map((agent) => (
        <li key={agent.id} className="shrink-0">
          <Seat agent={agent} onOpenTask={onOpenTask} />
        </li>
      ))}
    </ul>
  )
}

function Seat({ agent, onOpenTask }: { agent: Agent; onOpenTask(taskId: string): void }) {
  const look = roleLook(agent.role)
  const { taskId } = agent
  const activity = activityOf(agent)
  return (
    <Tooltip text={`${seatName(agent)} · ${agent.state} · ${activity} · ${dollars(agent.costUsd)}`}>
      <button
        type="button"
        onClick={() => taskId && onOpenTask(taskId)}
        aria-disabled={!taskId}
        className={cn(
          'focus-inset flex h-9 items-center gap-2 rounded-full border border-line bg-bg/40 pr-3.5 pl-0.5 text-left',
          taskId ? 'hover:border-line-strong' : 'cursor-default!',
        )}
      >
        <Face initials={look.initials} colour={look.colour} state={faceState(agent.state)} size={30} />
        <span className="grid max-w-36 leading-[1.25]">
          <span className="truncate text-xs font-semibold">{seatName(agent)}</span>
          <span
            className={cn(
              'truncate text-2xs',
              agent.state === 'stuck' || agent.state === 'failed' ? 'text-bad' : 'text-fg-2',
            )}
          >
            {activity}
          </span>
        </span>
      </button>
    </Tooltip>
  )
}
