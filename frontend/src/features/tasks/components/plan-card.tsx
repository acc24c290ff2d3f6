import type { Plan, Task } from '@guildhall/protocol/tasks.ts'
import { useMutation } from '@tanstack/react-query'
import { ListChecks } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { Face } from '../../../components/face.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Chip } from '../../../components/ui/chip.tsx'
import { inputLook } from '../../../components/ui/field.tsx'
import { cn } from '../../../lib/cn.ts'
import { clockTime, commandLine, plural, shortBranch } from '../../../lib/format.ts'
import { isProblem, messageOf } from '../../../lib/request.ts'
import { roleLook } from '../../../lib/roles.ts'
import { approvePlan, requestPlanChanges, type Work } from '../api.ts'
import { faceOf } from '../face-of.ts'
import { promised } from '../standing.ts'
import { StatusChip } from './status-chip.tsx'

interface PlanCardProps {
  plan: Plan
  work: Work
  /** The person looking, to say "you" instead of a name. */
  userId: string
  canApprove: boolean
  onOpenTask(taskId: string): void
}

/** The plan as the manager proposed it: what will be done, which commands will prove it, what was assumed. */
export function PlanCard({ plan, work, userId, canApprove, onOpenTask }: PlanCardProps) {
  const isOpen = plan.state === 'in_review' || plan.state === 'draft'
  return (
    <article
      aria-label={`Plan ${plan.number}`}
      className="ml-9.5 animate-rise overflow-hidden rounded-md border border-line bg-surface-1"
    >
      <header className="flex items-center gap-2 px-3 py-2.5">
        <ListChecks aria-hidden className="size-4 shrink-0 text-fg-2" />
        <h3 className="font-semibold">Plan{plan.number > 1 ? ` ${plan.number}` : ''}</h3>
        <span className="ml-auto text-right text-xs text-fg-2 tabular">{standing(plan, userId)}</span>
      </header>
      {isOpen && <p className="px-3 pb-2.5 text-sm text-fg-2">{plan.summary}</p>}
      <ul>
        {plan.tasks.map(({ id }) => {
          const task = work.tasks[id] ?? plan.tasks.find((known) => known.id === id)!
          return <PlanTask key={id} task={task} work={work} isDetailed={isOpen} onOpen={() => onOpenTask(id)} />
        })}
      </ul>
      {isOpen && plan.assumptions.length > 0 && (
        <section className="border-t border-line px-3 py-2.5">
          <h4 className="section-label">Assumed</h4>
          <ul className="mt-1.5 grid list-disc gap-1 pl-4 text-sm text-fg-2 marker:text-fg-3">
            {plan.assumptions.map((assumption) => (
              <li key={assumption}>{assumption}</li>
            ))}
          </ul>
        </section>
      )}
      {isOpen && canApprove && <Decision plan={plan} />}
    </article>
  )
}

function standing(plan: Plan, userId: string): string {
  if (plan.state === 'approved') {
    const by = plan.approvedBy === null ? 'by itself' : plan.approvedBy === userId ? 'by you' : 'by a member'
    return `approved ${by}${plan.approvedAt ? ` · ${clockTime(plan.approvedAt)}` : ''}`
  }
  if (plan.state === 'changes_requested') return 'sent back'
  return `${plural(plan.tasks.length, 'task')} · waits for you`
}

function detailOf(task: Task, work: Work): string {
  if (task.state === 'waiting' && task.dependsOn.length > 0) {
    const titles = task.dependsOn.map((id) => work.tasks[id]).filter((known) => known && known.state !== 'merged')
    if (titles.length > 0) return `after ${titles.map((known) => known!.title).join(', ')}`
  }
  if (task.reason && (task.state === 'failed' || task.state === 'needs_you')) return task.reason
  if (task.branch) {
    const done = task.boxes.filter((box) => box.done).length
    return `${shortBranch(task.branch)} · ${done} of ${plural(task.boxes.length, 'box', 'boxes')}`
  }
  return plural(task.criteria.length, 'check')
}

interface PlanTaskProps {
  task: Task
  work: Work
  isDetailed: boolean
  onOpen(): void
}

function PlanTask({ task, work, isDetailed, onOpen }: PlanTaskProps) {
  const look = roleLook(task.role)
  return (
    <li className="border-t border-line">
      <button
        type="button"
        onClick={onOpen}
        className="focus-inset flex w-full items-start gap-2.5 px-3 py-2 text-left transition-colors duration-[120ms] hover:bg-surface-3/60 max-md:min-h-11"
      >
        <Face initials={look.initials} colour={look.colour} state={faceOf(task)} size={20} className="mt-px" />
        <span className="min-w-0 flex-1">
          <span className="block leading-snug">
            <span className="sr-only">{look.name}: </span>
            {task.title}
          </span>
          {isDetailed ? (
            <span className="mt-1 grid gap-0.5">
              {task.criteria.map((criterion) => (
                <code key={criterion.text} className="truncate font-mono text-2xs text-fg-2" title={criterion.text}>
                  {commandLine(criterion.check.argv)}
                </code>
              ))}
              {task.replaces.map((name) => (
                <span key={name} className="text-xs text-warn">
                  replaces <s>{promised(name, work).text}</s>
                </span>
              ))}
            </span>
          ) : (
            <span className="mt-0.5 block truncate text-xs text-fg-2">{detailOf(task, work)}</span>
          )}
        </span>
        {isDetailed ? <Chip>{look.name}</Chip> : <StatusChip task={task} />}
      </button>
    </li>
  )
}

function Decision({ plan }: { plan: Plan }) {
  const [isSendingBack, setSendingBack] = useState(false)
  const approve = useMutation({ mutationFn: () => approvePlan(plan) })
  const back = useMutation({ mutationFn: (comment: string) => requestPlanChanges(plan, comment) })
  const error = approve.error ?? back.error
  const isDone = approve.isSuccess || back.isSuccess

  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const comment = String(new FormData(event.currentTarget).get('comment')).trim()
    if (comment && !back.isPending) back.mutate(comment)
  }
  return (
    <footer className="grid gap-2 border-t border-line bg-surface-2/50 p-2.5">
      {error !== null && (
        <p role="alert" className="text-sm text-bad">
          {isProblem(error, 'stale') ? 'The plan has changed since you read it; here is the newest.' : messageOf(error)}
        </p>
      )}
      {isSendingBack ? (
        <form onSubmit={onSubmit} className="grid gap-2">
          <textarea
            name="comment"
            aria-label="What should change?"
            placeholder="What should change?"
            required
            autoFocus
            rows={3}
            className={cn(inputLook, 'resize-y py-2')}
          />
          <div className="flex justify-end gap-2">
            <Button look="ghost" onClick={() => setSendingBack(false)}>
              Back
            </Button>
            <Button type="submit" look="primary" busy={back.isPending || back.isSuccess}>
              Send back
            </Button>
          </div>
        </form>
      ) : (
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={() => setSendingBack(true)} disabled={approve.isPending || isDone}>
            Request changes
          </Button>
          <Button look="primary" busy={approve.isPending || approve.isSuccess} onClick={() => approve.mutate()}>
            Approve plan
          </Button>
        </div>
      )}
    </footer>
  )
}
