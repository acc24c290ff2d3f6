import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Task, TaskDetail } from '@guildhall/protocol/tasks.ts'
import type { Action } from '../projects/service.ts'
import { conflict, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { TaskDeps } from './deps.ts'
import { printDocument } from './document.ts'
import { createGates } from './gates.ts'
import { createMergeQueue } from './merge-queue.ts'
import { createPlanning } from './planning.ts'
import { createScheduler } from './scheduler.ts'
import {
  findProof,
  findTask,
  findTaskPerson,
  listCheckRuns,
  listReviews,
  listTasks,
  listUnattended,
  moveTask,
} from './store.ts'

/**
 * Tasks: documents, gates and the merge queue. A plan becomes tasks, a person approves, the crew works, and main takes
 * only what passed its checks and another role's review. State lives in the rows; the queue only rings.
 */
export function createTaskService(deps: TaskDeps) {
  const { db, authorize, queue, startRun, cancelRuns } = deps
  const { schedule } = createScheduler(deps)
  const gates = createGates(deps)
  const { mergeNext } = createMergeQueue(deps, gates, schedule)
  const planning = createPlanning(deps, schedule)

  /** Reads a task with the caller's rights; a stranger's task does not exist. */
  async function allowed(actor: Actor, action: Action, taskId: TaskId): Promise<Task> {
    const task = await db.as(actor, (tx) => findTask(tx, taskId))
    if (!task) throw notFound('Task')
    await authorize(actor, action, { projectId: task.projectId })
    return task
  }

  return {
    ...planning,
    schedule,
    mergeNext,
    finish: gates.finish,
    check: gates.check,
    reviewContext: gates.reviewContext,
    verdict: gates.verdict,
    runEnded: gates.runEnded,

    async list(actor: Actor, projectId: ProjectId): Promise<Task[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, (tx) => listTasks(tx, projectId))
    },

    async get(actor: Actor, taskId: TaskId): Promise<TaskDetail> {
      const task = await allowed(actor, 'project.read', taskId)
      return db.as(actor, async (tx) => ({
        task,
        checkRuns: await listCheckRuns(tx, taskId),
        reviews: await listReviews(tx, taskId),
        documentMarkdown: printDocument(task),
      }))
    },

    /** The document an agent works by, and why the branch came back, if it did. */
    async document(taskId: TaskId): Promise<{ task: Task; markdown: string; returned: string | null }> {
      const task = await db.system((tx) => findTask(tx, taskId))
      if (!task) throw notFound('Task')
      return { task, markdown: printDocument(task), returned: task.returns > 0 ? task.reason : null }
    },

    /** Ticks boxes (numbers from 1) with the commit that finished them. Unknown numbers are ignored. */
    async tick(agent: Actor, taskId: TaskId, boxes: number[], commit: Sha): Promise<Task> {
      return db.as(agent, async (tx) => {
        const task = await findTask(tx, taskId, 'update')
        if (!task) throw notFound('Task')
        const ticked = task.boxes.map((box, index) =>
          boxes.includes(index + 1) ? { ...box, done: true, commit } : box,
        )
        const updated = await moveTask(tx, taskId, { from: ['working'] }, { boxes: ticked, head: commit })
        if (!updated) throw conflict(`The task is ${task.state}; its boxes are closed.`)
        await appendEvent(tx, projectTopic(task.projectId), {
          type: 'task.ticked',
          actor: agent,
          data: { task: updated },
        })
        return updated
      })
    },

    /** A person's yes where autonomy is `review_all`: the task enters the merge queue. */
    async approve(actor: Actor, taskId: TaskId): Promise<Task> {
      const task = await allowed(actor, 'project.work', taskId)
      const queued = await db.as(actor, async (tx) => {
        const approvals = (await listReviews(tx, taskId)).filter(({ verdict }) => verdict === 'approve')
        if (task.state !== 'needs_you' || !approvals.some(({ tree }) => tree === task.tree))
          throw conflict('This task does not wait for your approval.')
        const moved = await moveTask(
          tx,
          taskId,
          { from: ['needs_you'] },
          { state: 'merging', queuedAt: new Date(), reason: null },
        )
        if (!moved) throw conflict('This task does not wait for your approval.')
        await appendEvent(tx, projectTopic(task.projectId), { type: 'task.queued', actor, data: { task: moved } })
        return moved
      })
      await queue.ring('task.merge', `${task.projectId}.${taskId}.${Date.now()}`)
      return queued
    },

    /** Stops a task for good. What was committed stays on its branch. */
    async cancel(actor: Actor, taskId: TaskId, reason: string): Promise<Task> {
      const task = await allowed(actor, 'project.work', taskId)
      const cancelled = await db.as(actor, async (tx) => {
        const moved = await moveTask(
          tx,
          taskId,
          { from: ['waiting', 'working', 'checking', 'reviewing', 'failed', 'needs_you'] },
          { state: 'cancelled', reason: reason || null, leaseUntil: null },
        )
        if (!moved) throw conflict(`The task is ${task.state} and cannot be cancelled.`)
        await appendEvent(tx, projectTopic(task.projectId), { type: 'task.cancelled', actor, data: { task: moved } })
        return moved
      })
      await cancelRuns(taskId)
      return cancelled
    },

    /** Goes on from where the task stopped: at the first gate that its present tree has not passed. */
    async retry(actor: Actor, taskId: TaskId): Promise<Task> {
      const seen = await allowed(actor, 'project.work', taskId)
      if (seen.state !== 'failed' && seen.state !== 'needs_you')
        throw conflict(`The task is ${seen.state}; there is nothing to retry.`)
      return db.as(actor, async (tx) => {
        const task = (await findTask(tx, taskId, 'update'))!
        const proved = task.tree ? await findProof(tx, taskId, task.tree) : null
        const to = task.state === 'failed' || task.claims.length === 0 ? 'working' : proved ? 'reviewing' : 'checking'
        const change = {
          state: to as Task['state'],
          ...(to === 'working' ? { returns: 0, claims: [] } : { reason: null }),
        }
        const moved = await moveTask(tx, taskId, { from: ['failed', 'needs_you'] }, change)
        if (!moved) throw conflict('The task has moved on.')
        if (to === 'reviewing') await gates.startReview(tx, moved)
        if (to === 'working')
          await startRun(tx, {
            projectId: task.projectId,
            conversationId: task.conversationId,
            taskId,
            role: task.role,
            purpose: 'work',
            userId: await findTaskPerson(tx, taskId),
          })
        await appendEvent(tx, projectTopic(task.projectId), { type: 'task.started', actor, data: { task: moved } })
        return moved
      })
    },

    /** Finds what no worker attends to: after a crash, a lost ring, an emptied queue. Runs every second. */
    async sweep(): Promise<void> {
      const unattended = await db.system((tx) => listUnattended(tx))
      for (const { id, projectId, state, epoch } of unattended)
        if (state === 'checking') await queue.ring('task.check', `${id}.${epoch}`)
        else await queue.ring('task.merge', `${projectId}.${id}.${epoch}`)
      await schedule()
    },
  }
}
export type TaskService = ReturnType<typeof createTaskService>
