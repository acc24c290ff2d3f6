import type { PlanId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Task } from '@guildhall/protocol/tasks.ts'
import type { Db } from '../../platform/db/database.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { listTasksOfPlan, moveTask } from './store.ts'

const house = { kind: 'system' } as const

/**
 * Why each waiting task of a plan cannot begin however long it waits; null for one that only waits its turn. Tasks
 * whose dependencies are all merged are left out: they start, or the scheduler says why they do not.
 */
export function holdsOf(tasks: Task[]): Map<TaskId, string | null> {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const blocker = (task: Task): Task | null => {
    for (const id of task.dependsOn) {
      const needed = byId.get(id)!
      if (needed.state === 'failed' || needed.state === 'cancelled') return needed
      const deeper = blocker(needed)
      if (deeper) return deeper
    }
    return null
  }
  const open = tasks.filter(
    ({ state, dependsOn }) => state === 'waiting' && dependsOn.some((id) => byId.get(id)!.state !== 'merged'),
  )
  return new Map(open.map((task) => [task.id, inWords(blocker(task))]))
}

function inWords(blocker: Task | null): string | null {
  if (!blocker) return null
  return blocker.state === 'failed'
    ? `It waits for "${blocker.title}", which failed. Retry that task, or cancel this one.`
    : `It waits for "${blocker.title}", which was cancelled. Cancel this one too, or ask for a new plan.`
}

/**
 * Writes on a plan's waiting tasks what holds them, after one of its tasks failed, was cancelled or goes on. Answers
 * what to call for the facts: rows first and the log last is the order in which every transaction takes its locks.
 */
export async function updateHolds(tx: Db, planId: PlanId): Promise<() => Promise<void>> {
  const tasks = await listTasksOfPlan(tx, planId)
  const changed: Task[] = []
  for (const [id, reason] of holdsOf(tasks)) {
    if (tasks.find((task) => task.id === id)!.reason === reason) continue
    const held = await moveTask(tx, id, { from: ['waiting'] }, { reason })
    if (held) changed.push(held)
  }
  return async () => {
    for (const task of changed)
      await appendEvent(tx, projectTopic(task.projectId), { type: 'task.held', actor: house, data: { task } })
  }
}
