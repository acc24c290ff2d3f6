import type { Task } from '@guildhall/protocol/tasks.ts'
import { useMutation } from '@tanstack/react-query'
import { TriangleAlert } from 'lucide-react'
import { Prose } from '../../../components/prose.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { messageOf } from '../../../lib/request.ts'
import { replaceCriteria, type Work } from '../api.ts'
import { brokenPromises, promised } from '../standing.ts'

interface TaskStopProps {
  task: Task
  work: Work
  canWork: boolean
  onRequestChanges(): void
}

/** Why a task stopped or came back, and what only a person can decide about it. */
export function TaskStop({ task, work, canWork, onRequestChanges }: TaskStopProps) {
  if (!task.reason) return null
  const broken = brokenPromises(task, work.checks[task.id] ?? [])
  return (
    <section
      aria-label="Why it stopped"
      className="mt-3 rounded-md border border-warn/40 bg-warn/10 text-sm [&_pre]:max-h-48"
    >
      <div className="flex gap-2 px-3 py-2.5">
        <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
        {/* With a promise the outputs stand beside each one below, as evidence. */}
        <Prose
          text={broken.length > 0 ? task.reason.split('\n\n', 1)[0]! : task.reason}
          className="min-w-0 flex-1 text-sm"
        />
      </div>
      {broken.length > 0 && (
        <div className="border-t border-warn/30 px-3 py-2.5">
          <h3 className="section-label">Promised before</h3>
          <ul className="mt-1.5 grid gap-1.5">
            {broken.map((name) => {
              const { text, task: earlier } = promised(name, work)
              return (
                <li key={name}>
                  {text}
                  {earlier && <span className="block text-xs text-fg-2">{earlier.title}</span>}
                </li>
              )
            })}
          </ul>
          {canWork && <LetGo task={task} broken={broken} onRequestChanges={onRequestChanges} />}
        </div>
      )}
    </section>
  )
}

interface LetGoProps {
  task: Task
  broken: string[]
  onRequestChanges(): void
}

function LetGo({ task, broken, onRequestChanges }: LetGoProps) {
  const replace = useMutation({ mutationFn: () => replaceCriteria(task.id, broken) })
  return (
    <div className="mt-3 flex flex-wrap items-center justify-end gap-2">
      {replace.isError && (
        <p role="alert" className="w-full text-bad">
          {messageOf(replace.error)}
        </p>
      )}
      <Button size="s" onClick={onRequestChanges} disabled={replace.isPending || replace.isSuccess}>
        Keep it, request changes
      </Button>
      <Button size="s" look="primary" busy={replace.isPending || replace.isSuccess} onClick={() => replace.mutate()}>
        Let it go
      </Button>
    </div>
  )
}
