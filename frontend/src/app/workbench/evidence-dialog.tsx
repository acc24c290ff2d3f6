import type { Event } from '@guildhall/protocol/events.ts'
import type { CheckResult } from '@guildhall/protocol/tasks.ts'
import { useQuery } from '@tanstack/react-query'
import { CircleCheck, CircleX } from 'lucide-react'
import { Output } from '../../components/code.tsx'
import { Dialog } from '../../components/ui/dialog.tsx'
import { projectLog } from '../../features/realtime/api.ts'
import { clockTimeSeconds, commandLine, duration, groupedNumber } from '../../lib/format.ts'
import { roleLook } from '../../lib/roles.ts'

/** What to show: an event by its number, or one result of the check run it announced. */
export interface Evidence {
  seq: number
  result: CheckResult | null
}

interface EvidenceDialogProps {
  projectId: string
  evidence: Evidence | null
  onClose(): void
}

/** The very output a claim or a check points at. */
export function EvidenceDialog({ projectId, evidence, onClose }: EvidenceDialogProps) {
  const seq = evidence?.seq ?? 0
  const { data: event } = useQuery({
    ...projectLog(projectId),
    select: ({ events }) => events.find((each) => each.seq === seq) ?? null,
  })
  return (
    <Dialog
      open={evidence !== null}
      onOpenChange={(isOpen) => !isOpen && onClose()}
      title={evidence?.result?.criterion ?? titleOf(event)}
      description={`Event ${groupedNumber(seq)}${event ? ` · ${clockTimeSeconds(event.at)} · ${whoOf(event)}` : ''}`}
      className="w-[min(820px,calc(100vw-24px))]"
    >
      {evidence?.result ? (
        <Result result={evidence.result} />
      ) : event ? (
        <EventBody event={event} />
      ) : (
        <p className="text-fg-2">This event is not in the project’s log.</p>
      )}
    </Dialog>
  )
}

const whoOf = ({ actor }: Event): string =>
  actor.kind === 'agent' ? roleLook(actor.role).name : actor.kind === 'user' ? 'a person' : 'the house'

function titleOf(event: Event | null | undefined): string {
  if (!event) return 'No such event'
  if (event.type === 'agent.step.begun' || event.type === 'agent.step.finished') return event.data.step.title
  if (event.type === 'task.checked') return `Checks of ${event.data.task.title}`
  return event.type.replaceAll('.', ' ')
}

const Result = ({ result }: { result: CheckResult }) => (
  <div className="grid gap-2">
    <p className="flex items-start gap-2 font-mono text-xs">
      {result.passed ? (
        <CircleCheck className="size-4 shrink-0 text-ok" aria-label="Passed" />
      ) : (
        <CircleX className="size-4 shrink-0 text-bad" aria-label="Failed" />
      )}
      <span className="min-w-0 flex-1 break-words">{commandLine(result.argv)}</span>
      <span className="shrink-0 text-fg-3">
        exit {result.exitCode ?? '–'} · {duration(result.durationMs)}
      </span>
    </p>
    <Output text={result.output || 'No output.'} className="max-h-[56dvh]" />
  </div>
)

function EventBody({ event }: { event: Event }) {
  if (event.type === 'task.checked') {
    return (
      <div className="grid gap-4">
        {event.data.checkRun.results.map((result) => (
          <div key={result.criterion} className="grid gap-1.5">
            <p className="text-sm font-medium">{result.criterion}</p>
            <Result result={result} />
          </div>
        ))}
      </div>
    )
  }
  if (event.type === 'agent.step.begun' || event.type === 'agent.step.finished') {
    const { detail, figure, durationMs, tool } = event.data.step
    return (
      <div className="grid gap-2">
        <p className="font-mono text-xs text-fg-2">
          {[tool, figure, durationMs === null ? null : duration(durationMs)].filter(Boolean).join(' · ')}
        </p>
        <Output text={detail ?? 'No output yet.'} className="max-h-[56dvh]" />
      </div>
    )
  }
  return <Output text={JSON.stringify(event.data, null, 2)} className="max-h-[56dvh]" />
}
