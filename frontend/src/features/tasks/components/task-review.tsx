import type { Task } from '@guildhall/protocol/tasks.ts'
import { useMutation } from '@tanstack/react-query'
import { GitBranch, GitMerge, Hash, MessageSquareWarning, RotateCcw, X } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { pill } from '../../../components/ui/chip.tsx'
import { cn } from '../../../lib/cn.ts'
import { shortBranch, shortSha } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { roleLook } from '../../../lib/roles.ts'
import { approveTask, cancelTask, isOpen, retryTask, type Work } from '../api.ts'
import type { EvidenceDoors } from '../evidence.ts'
import { gates } from '../proof.ts'
import { brokenPromises } from '../standing.ts'
import { ChangesDialog } from './changes-dialog.tsx'
import { StatusChip } from './status-chip.tsx'
import { TaskDocument } from './task-document.tsx'
import { TaskGates } from './task-gates.tsx'
import { TaskStop } from './task-stop.tsx'

interface TaskReviewProps extends EvidenceDoors {
  task: Task
  work: Work
  canWork: boolean
  /** The diff belongs to the repository; the workbench puts it here. */
  diff: ReactNode
}

/** A task's whole story on one page: what was asked, what changed, what proves it. */
export function TaskReview({ task, work, canWork, diff, ...doors }: TaskReviewProps) {
  const [isRequesting, setRequesting] = useState(false)
  const onRequestChanges = () => setRequesting(true)
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
        {canWork && (
          <Actions
            task={task}
            waitsForYes={task.state === 'needs_you' && gates(task, work).review.state === 'passed'}
            breaksPromises={brokenPromises(task, work.checks[task.id] ?? []).length > 0}
            onRequestChanges={onRequestChanges}
          />
        )}
      </header>
      <div className="min-h-0 flex-1 overflow-auto @2xl:grid @2xl:grid-cols-[1.25fr_1fr] @2xl:content-start @5xl:grid-cols-[minmax(260px,5fr)_minmax(380px,9fr)_minmax(250px,4.6fr)] @5xl:content-stretch @5xl:overflow-hidden">
        <div className="min-w-0 @5xl:overflow-auto @2xl:border-r @2xl:border-line">
          <TaskDocument
            task={task}
            work={work}
            stop={<TaskStop task={task} work={work} canWork={canWork} onRequestChanges={onRequestChanges} />}
            {...doors}
          />
        </div>
        <div className="min-w-0 border-line max-@5xl:border-t @2xl:order-3 @2xl:col-span-2 @5xl:order-none @5xl:col-span-1 @5xl:overflow-auto">
          {diff}
        </div>
        <div className="border-line bg-surface-1/60 max-@2xl:border-t @5xl:overflow-auto @5xl:border-l">
          <TaskGates task={task} work={work} {...doors} />
        </div>
      </div>
      <ChangesDialog task={task} open={isRequesting} onOpenChange={setRequesting} />
    </article>
  )
}

interface ActionsProps {
  task: Task
  /** Every gate but the person's is passed. */
  waitsForYes: boolean
  /** What is to be decided stands with the promise itself. */
  breaksPromises: boolean
  onRequestChanges(): void
}

function Actions({ task, waitsForYes, breaksPromises, onRequestChanges }: ActionsProps) {
  const hasStopped = task.state === 'failed' || task.state === 'needs_you'
  const cancel = useMutation({ mutationFn: () => cancelTask(task.id, '') })
  const retry = useMutation({ mutationFn: () => retryTask(task.id) })
  const approve = useMutation({ mutationFn: () => approveTask(task.id) })
  const error = cancel.error ?? retry.error ?? approve.error
  return (
    <div className="ml-auto flex flex-wrap items-center gap-2">
      {error !== null && (
        <span role="alert" className="text-xs text-bad">
          {messageOf(error)}
        </span>
      )}
      {waitsForYes && (
        <Button size="s" look="primary" busy={approve.isPending} onClick={() => approve.mutate()}>
          <GitMerge className="size-3.5" /> Approve and queue
        </Button>
      )}
      {hasStopped && !waitsForYes && !breaksPromises && (
        <Button size="s" look="primary" busy={retry.isPending} onClick={() => retry.mutate()}>
          <RotateCcw className="size-3.5" /> Try again
        </Button>
      )}
      {hasStopped && !breaksPromises && task.branch && (
        <Button size="s" onClick={onRequestChanges}>
          <MessageSquareWarning className="size-3.5" /> Request changes
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
