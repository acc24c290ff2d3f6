import type { DocumentState, Task } from '@guildhall/protocol/tasks.ts'
import { ListChecks } from 'lucide-react'
import { Face } from '../../../components/face.tsx'
import { Notice } from '../../../components/notice.tsx'
import { cn } from '../../../lib/cn.ts'
import { plural } from '../../../lib/format.ts'
import { roleLook } from '../../../lib/roles.ts'
import { isOpen, type Work } from '../api.ts'
import { faceOf } from '../face-of.ts'
import { StatusChip } from './status-chip.tsx'

interface TaskListProps {
  work: Work
  openTaskId: string | null
  onOpenTask(taskId: string): void
}

/** Every task of the project: what needs you, what is under way, what is done. */
export function TaskList({ work, openTaskId, onOpenTask }: TaskListProps) {
  const tasksOf = (...states: DocumentState[]) =>
    Object.values(work.plans)
      .filter(({ state }) => states.includes(state))
      .flatMap((plan) => plan.tasks.map(({ id }) => work.tasks[id]!))
  const tasks = tasksOf('approved')
  const planned = tasksOf('in_review', 'draft')
  const groups: [string, Task[]][] = [
    ['In the plan, waiting for your yes', planned],
    ['Needs you', tasks.filter(({ state }) => state === 'needs_you' || state === 'failed')],
    ['Under way', tasks.filter((task) => isOpen(task) && task.state !== 'needs_you')],
    ['Done', tasks.filter(({ state }) => state === 'merged' || state === 'cancelled').reverse()],
  ]
  if (tasks.length + planned.length === 0) {
    return (
      <Notice icon={ListChecks} title="No tasks yet">
        The manager turns your wish into tasks with checks; they stand here once the plan is written.
      </Notice>
    )
  }
  return (
    <div className="h-full overflow-auto py-2">
      {groups.map(
        ([title, group]) =>
          group.length > 0 && (
            <section key={title} className="py-1.5">
              <h3 className="section-label px-4 pb-1">{title}</h3>
              <ul>
                {group.map((task) => (
                  <li key={task.id}>
                    <button
                      type="button"
                      aria-current={task.id === openTaskId || undefined}
                      onClick={() => onOpenTask(task.id)}
                      className={cn(
                        'focus-inset flex w-full items-start gap-2.5 px-4 py-2 text-left transition-colors duration-[120ms] hover:bg-surface-3/60 max-md:min-h-11',
                        task.id === openTaskId && 'bg-surface-3',
                      )}
                    >
                      <Face
                        initials={roleLook(task.role).initials}
                        colour={roleLook(task.role).colour}
                        state={faceOf(task)}
                        size={22}
                      />
                      <span className="min-w-0 flex-1">
                        <span className="block leading-snug">{task.title}</span>
                        <span className="mt-0.5 block text-xs text-fg-2 tabular">
                          {task.boxes.filter((box) => box.done).length} of {plural(task.boxes.length, 'box', 'boxes')} ·{' '}
                          {plural(task.criteria.length, 'check')}
                        </span>
                      </span>
                      <StatusChip task={task} />
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          ),
      )}
    </div>
  )
}
