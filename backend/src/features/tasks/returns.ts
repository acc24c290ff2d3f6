import type { Task } from '@guildhall/protocol/tasks.ts'
import type { Db } from '../../platform/db/database.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { TaskDeps } from './deps.ts'
import { updateHolds } from './holds.ts'
import { LeaseLost } from './lease.ts'
import { findTaskPerson, moveTask } from './store.ts'

const house = { kind: 'system' } as const
/** After this many returns the task stops and asks the person. */
const maxReturns = 2

/** Appends the facts of what was done; called last in a transaction, since the log stays locked until its end. */
export type Announce = () => Promise<void>

/** The ways a task leaves the straight road: back to its author, to an end, or to the person. */
export function createReturns({ conversations, startRun }: Pick<TaskDeps, 'conversations' | 'startRun'>) {
  const say = (tx: Db, task: Task, content: string) =>
    conversations.post(tx, {
      conversationId: task.conversationId,
      projectId: task.projectId,
      taskId: task.id,
      sender: { kind: 'system' },
      kind: 'status',
      content,
      actor: house,
    })

  async function fail(tx: Db, task: Task, reason: string, returns: number, epoch?: number): Promise<Announce> {
    const change = { state: 'failed' as const, reason, returns, mergedAs: null, leaseUntil: null }
    const failed = await moveTask(tx, task.id, { from: [task.state], epoch }, change)
    if (!failed) throw new LeaseLost('the task moved on')
    const announceHolds = await updateHolds(tx, task.planId)
    await say(tx, failed, `**${task.title}** failed and was not merged. It came back ${returns} times.\n\n${reason}`)
    return async () => {
      await appendEvent(tx, projectTopic(task.projectId), {
        type: 'task.failed',
        actor: house,
        data: { task: failed, reason },
      })
      await announceHolds()
    }
  }

  return {
    say,

    /**
     * Back to the author with the reason, or to a plain end after too many returns. Claims and the bound tree, and with
     * it every approval, are void.
     */
    async giveBack(tx: Db, task: Task, reason: string, epoch?: number): Promise<Announce> {
      const returns = task.returns + 1
      if (returns > maxReturns) return fail(tx, task, reason, returns, epoch)
      const change = { reason, returns, claims: [], tree: null, mergedAs: null, leaseUntil: null }
      const returned = await moveTask(
        tx,
        task.id,
        { from: [task.state], epoch },
        { ...change, state: 'working' as const },
      )
      if (!returned) throw new LeaseLost('the task moved on')
      await startRun(tx, {
        projectId: task.projectId,
        conversationId: task.conversationId,
        taskId: task.id,
        role: task.role,
        purpose: 'work',
        userId: await findTaskPerson(tx, task.id),
      })
      return async () => {
        const data = { task: returned, reason }
        await appendEvent(tx, projectTopic(task.projectId), { type: 'task.returned', actor: house, data })
      }
    },

    /** The person decides when to go on; nothing is lost. Does nothing when the task has moved on. */
    async askPerson(tx: Db, task: Task, reason: string, epoch?: number): Promise<Announce> {
      const change = { state: 'needs_you' as const, reason, leaseUntil: null }
      const asked = await moveTask(tx, task.id, { from: [task.state], epoch }, change)
      if (!asked) return async () => undefined
      await say(tx, asked, `**${task.title}** needs you. ${reason}`)
      return async () => {
        const data = { task: asked, reason }
        await appendEvent(tx, projectTopic(task.projectId), { type: 'task.stopped', actor: house, data })
      }
    },
  }
}
export type Returns = ReturnType<typeof createReturns>
