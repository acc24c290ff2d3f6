import type { CheckResult, Task } from '@guildhall/protocol/tasks.ts'
import { useMutation } from '@tanstack/react-query'
import { GitBranch, Hash, RotateCcw, X } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { pill } from '../../../components/ui/chip.tsx'
import { cn } from '../../../lib/cn.ts'
import { shortBranch, shortSha } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { roleLook } from '../../../lib/roles.ts'
import { cancelTask, isOpen, retryTask, type Work } from '../api.ts'
import { StatusChip } from './status-chip.tsx'
import { TaskDocument } from './task-document.tsx'
import { TaskGates } from './task-gates.tsx'

export interface EvidenceDoors {
  onEvidence(seq: number): void
  onResult(result: CheckResult, seq: number): void
}

interface TaskReviewProps extends EvidenceDoors {
  task: Task
  work: Work
  canWork: boolean
  /** The diff belongs to the repository; the workbench puts it here. */
  diff: ReactNode
}

/** A task's whole story on one page: what was asked, what changed, what proves it. */
export function TaskReview({ task, work, canWork, diff, ...doors }: TaskReviewProps) {
  return (
    <article aria-label={task.title} className="@container flex h-full min-h-0 flex-col">
      <header className="hairline-b flex min-h-11 shrink-0 flex-wrap items-center gap-2 px-4 py-1.5">
        <StatusChip task={task} />
        {task.branch && (
          <span
            className={cn(pill, 'text-(--tone)')}
            style={{ '--tone': roleLook(task.role).colour } as React.CSSProperties}
          >
            <GitBranch aria-hidden />
            <span className="truncate">{shortBranch(task.branch)} → main</span>
          </span>
        )}
        {task.tree && (
          <span className={pill} title={task.tree}>
            <Hash aria-hidden /> tree {shortSha(task.tree)}
          </span>
        )}
        {canWork && <Actions task={task} />}
      </header>
      <div className="min-h-0 flex-1 overflow-auto @4xl:grid @4xl:grid-cols-[minmax(260px,5fr)_minmax(380px,9fr)_minmax(250px,4.6fr)] @4xl:overflow-hidden">
        <div className="@4xl:overflow-auto @4xl:border-r @4xl:border-line">
          <TaskDocument task={task} checks={work.checks[task.id] ?? []} {...doors} />
        </div>
        <div className="border-line max-@4xl:border-y @4xl:min-w-0 @4xl:overflow-auto">{diff}</div>
        <div className="bg-surface-1/60 @4xl:overflow-auto @4xl:border-l @4xl:border-line">
          <TaskGates task={task} work={work} {...doors} />
        </div>
      </div>
    </article>
  )
}

function Actions({ task }: { task: Task }) {
  const cancel = useMutation({ mutationFn: () => cancelTask(task.id, '') })
  const retry = useMutation({ mutationFn: () => retryTask(task.id) })
  const error = cancel.error ?? retry.error
  return (
    <div className="ml-auto flex items-center gap-2">
      {error !== null && (
        <span role="alert" className="text-xs text-bad">
          {messageOf(error)}
        </span>
      )}
      {(task.state === 'failed' || task.state === 'needs_you') && (
        <Button size="s" look="primary" busy={retry.isPending} onClick={() => retry.mutate()}>
          <RotateCcw className="size-3.5" /> Try again
        </Button>
      )}
      {isOpen(task) && (
        <Button size="s" busy={cancel.isPending} onClick={() => cancel.mutate()}>
          <X className="size-3.5" /> Cancel task
        </Button>
      )}
    </div>
  )
}
