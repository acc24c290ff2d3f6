import { FileCode2, ListChecks, Maximize2, Minimize2, X } from 'lucide-react'
import { Notice } from '../../components/notice.tsx'
import { Button } from '../../components/ui/button.tsx'
import { IconButton } from '../../components/ui/icon-button.tsx'
import { useProjectLog } from '../../features/realtime/api.ts'
import { DiffView } from '../../features/repository/components/diff-view.tsx'
import { FileView } from '../../features/repository/components/file-view.tsx'
import { readWork, type Work } from '../../features/tasks/api.ts'
import { TaskList } from '../../features/tasks/components/task-list.tsx'
import { TaskReview } from '../../features/tasks/components/task-review.tsx'
import { cn } from '../../lib/cn.ts'
import type { Bench } from './bench.ts'
import { parseView, type View } from './view.ts'

/** Tabs of what is open, and the one in front. */
export function Middle({ bench }: { bench: Bench }) {
  const work = useProjectLog(bench.projectId, readWork)
  const { view, key, tabs, show, close, isWide, setWide } = bench.views
  return (
    <div className="flex h-full min-h-0 flex-col">
      {tabs.length > 0 && (
        <nav aria-label="Open documents" className="hairline-b flex h-10 shrink-0 bg-surface-1">
          <ul className="flex min-w-0 overflow-x-auto [scrollbar-width:none]">
            {tabs.map((tab) => (
              <DocumentTab
                key={tab}
                view={parseView(tab)!}
                work={work}
                isFront={tab === key}
                onShow={() => show(tab)}
                onClose={() => close(tab)}
              />
            ))}
          </ul>
          {view && (
            <IconButton
              label={isWide ? 'Back to the workbench' : 'Over the whole page'}
              className="my-auto mr-2 ml-auto"
              onClick={() => setWide(!isWide)}
            >
              {isWide ? <Minimize2 /> : <Maximize2 />}
            </IconButton>
          )}
        </nav>
      )}
      <div className="min-h-0 flex-1">
        {view ? <Document bench={bench} view={view} work={work} /> : work && <Overview bench={bench} work={work} />}
      </div>
    </div>
  )
}

const titleOf = (view: View, work: Work | undefined): string =>
  view.kind === 'file' ? view.path.split('/').at(-1)! : (work?.tasks[view.taskId]?.title ?? 'Task')

interface DocumentTabProps {
  view: View
  work: Work | undefined
  isFront: boolean
  onShow(): void
  onClose(): void
}

function DocumentTab({ view, work, isFront, onShow, onClose }: DocumentTabProps) {
  const title = titleOf(view, work)
  const Icon = view.kind === 'file' ? FileCode2 : ListChecks
  return (
    <li
      className={cn(
        'group relative flex shrink-0 items-center border-r border-line',
        isFront
          ? 'bg-bg after:absolute after:inset-x-0 after:top-0 after:h-0.5 after:bg-accent'
          : 'text-fg-2 hover:text-fg',
      )}
    >
      <button
        type="button"
        aria-current={isFront ? 'page' : undefined}
        onClick={onShow}
        className="focus-inset flex h-full items-center gap-2 pr-1 pl-3.5 text-sm"
      >
        <Icon aria-hidden className="size-4 shrink-0" />
        <span className="max-w-48 truncate">{title}</span>
      </button>
      <button
        type="button"
        aria-label={`Close ${title}`}
        onClick={onClose}
        className="focus-inset mr-1.5 grid size-6 place-items-center rounded-sm text-fg-3 hover:bg-surface-3 hover:text-fg"
      >
        <X className="size-3.5" />
      </button>
    </li>
  )
}

export function Document({ bench, view, work }: { bench: Bench; view: View; work: Work | undefined }) {
  const { projectId } = bench
  if (view.kind === 'file')
    return (
      <FileView
        key={`${view.gitRef}:${view.path}`}
        projectId={projectId}
        gitRef={view.gitRef}
        path={view.path}
        line={bench.views.line}
      />
    )
  if (!work) return null
  const task = work.tasks[view.taskId]
  if (!task) {
    return (
      <Notice
        icon={ListChecks}
        title="There is no such task here"
        action={<Button onClick={() => bench.views.show(null)}>Show all tasks</Button>}
      />
    )
  }
  // What the branch changed, or for merged work what main took in.
  const to = task.head ?? task.branch
  const range = task.base && to ? { from: task.base, to } : null
  return (
    <TaskReview
      key={task.id}
      task={task}
      work={work}
      canWork={bench.canWork}
      onEvidence={bench.onEvidence}
      onResult={bench.onResult}
      diff={<DiffView projectId={projectId} range={range} />}
    />
  )
}

export const Overview = ({ bench, work }: { bench: Bench; work: Work }) => (
  <section aria-label="Work" className="mx-auto h-full w-full max-w-2xl">
    <TaskList work={work} openTaskId={null} onOpenTask={bench.onOpenTask} />
  </section>
)
