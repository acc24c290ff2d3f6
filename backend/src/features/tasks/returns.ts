import { brokenStanding, type Task } from '@guildhall/protocol/tasks.ts'
import type { Db } from '../../platform/db/database.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { type CheckOutcome, failureText } from './checks.ts'
import type { TaskDeps } from './deps.ts'
import { updateHolds } from './holds.ts'
import { LeaseLost } from './lease.ts'
import { findTaskPerson, listCheckRuns, listTasksOfPlan, moveTask } from './store.ts'

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

  const ways = {
    /** After a task merged or was cancelled: sums the plan up when none of its tasks is open any more. */
    async sayWhenDone(tx: Db, task: Task): Promise<void> {
      const tasks = await listTasksOfPlan(tx, task.planId)
      const titles = tasks.filter(({ state }) => state === 'merged').map(({ title }) => `- ${title}`)
      if (titles.length > 0 && tasks.every(({ state }) => state === 'merged' || state === 'cancelled'))
        await say(tx, task, `The plan is done. Merged into main:\n${titles.join('\n')}`)
    },

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

    /**
     * After a check run that is stored and red: back to the author. When all that fails is what earlier tasks promised,
     * and the author has had a try at it, the person is asked: only they can let a promise go.
     */
    async red(tx: Db, task: Task, outcome: CheckOutcome, headline: string, epoch: number): Promise<Announce> {
      const failed = failureText(outcome)
      const broken = brokenStanding(outcome)
      if (broken.length === 0) return ways.giveBack(tx, task, `${headline}\n\n${failed}`, epoch)
      const names = broken.join()
      const times = (await listCheckRuns(tx, task.id)).filter((run) => brokenStanding(run).join() === names).length
      return times > 1 || task.returns >= maxReturns
        ? ways.askPerson(tx, task, `${breaksPromises}\n\n${failed}`, epoch)
        : ways.giveBack(tx, task, `${headline}\n\n${failed}\n\n${keepPromises}`, epoch)
    },
  }
  return ways
}

const breaksPromises =
  'All of its own checks pass, but it breaks what earlier tasks promised and main keeps. Let that go, or ask for changes.'
const keepPromises =
  'Earlier tasks promised this and main keeps it. Change your work so that it holds again. If your task cannot be done without breaking it, finish again as it stands and say so in the summary: the person then decides.'

export type Returns = ReturnType<typeof createReturns>
