import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Task, TaskDetail } from '@guildhall/protocol/tasks.ts'
import type { Action } from '../projects/service.ts'
import { conflict, forbidden, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Db } from '../../platform/db/database.ts'
import type { TaskDeps } from './deps.ts'
import { printDocument } from './document.ts'
import { createGates } from './gates.ts'
import { updateHolds } from './holds.ts'
import { listUnattended } from './lease.ts'
import { createMergeQueue } from './merge-queue.ts'
import { createPlanning } from './planning.ts'
import { createReturns } from './returns.ts'
import { createScheduler } from './scheduler.ts'
import {
  cancelTask,
  findApproval,
  findProof,
  findReturnReason,
  findTask,
  findTaskPerson,
  listCheckRuns,
  listReviews,
  listTasks,
  moveTask,
} from './store.ts'

/**
 * Tasks: documents, gates and the merge queue. A plan becomes tasks, a person approves, the crew works, and main takes
 * only what passed its checks and another role's review. State lives in the rows; the queue only rings.
 */
export function createTaskService(deps: TaskDeps) {
  const { db, authorize, queue, projectFacts, startRun, cancelRuns } = deps
  const { schedule, scheduleSoon, settled } = createScheduler(deps)
  const returns = createReturns(deps)
  const gates = createGates(deps, returns)
  const { mergeNext } = createMergeQueue(deps, returns, scheduleSoon)
  const planning = createPlanning(deps, scheduleSoon)

  /** The same for what only a person decides: an agent has its person's rights to the project, but not this. */
  async function decided(actor: Actor, taskId: TaskId): Promise<Task> {
    const task = await allowed(actor, 'project.work', taskId)
    if (actor.kind !== 'user') throw forbidden('Only a person can decide this')
    return task
  }

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
    settled,
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
      // A reason is kept while the author works again; a person's retry may have come after another one.
      const isReturned = task.state === 'working' && task.reason !== null
      const returned = isReturned ? await db.system((tx) => findReturnReason(tx, task)) : null
      return { task, markdown: printDocument(task), returned }
    },

    /** Ticks boxes (numbers from 1) with the commit that finished them. Unknown numbers are ignored; twice is once. */
    async tick(agent: Actor, taskId: TaskId, boxes: number[], commit: Sha): Promise<Task> {
      return db.as(agent, async (tx) => {
        const task = await findTask(tx, taskId, 'update')
        if (!task) throw notFound('Task')
        const ticked = task.boxes.map((box, index) =>
          boxes.includes(index + 1) ? { ...box, done: true, commit } : box,
        )
        const isNews = task.boxes.some((box, index) => box.commit !== ticked[index]!.commit)
        if (!isNews && task.state === 'working') return task
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

    /** A person's yes where autonomy is `review_all`: the task enters the merge queue. Throws `conflict`. */
    async approve(actor: Actor, taskId: TaskId): Promise<Task> {
      const { projectId } = await decided(actor, taskId)
      const queued = await db.as(actor, async (tx) => {
        const task = (await findTask(tx, taskId, 'update'))!
        if (task.state !== 'needs_you' || !(await findApproval(tx, task)))
          throw conflict('This task does not wait for your approval.')
        const change = { state: 'merging' as const, queuedAt: new Date(), reason: null }
        const moved = (await moveTask(tx, taskId, { from: ['needs_you'] }, change))!
        await appendEvent(tx, projectTopic(projectId), { type: 'task.queued', actor, data: { task: moved } })
        return moved
      })
      await queue.ring('task.merge', `${projectId}.${taskId}.${Date.now()}`)
      return queued
    },

    /**
     * Stops a task for good. What was committed stays on its branch; tasks that wait for it say so. Throws `conflict`
     * for one that is merged, cancelled, or being merged at this moment.
     */
    async cancel(actor: Actor, taskId: TaskId, reason: string): Promise<Task> {
      const { projectId } = await decided(actor, taskId)
      const cancelled = await db.as(actor, async (tx) => {
        const moved = await cancelTask(tx, taskId, reason || null)
        if (!moved) throw conflict(`The task is ${(await findTask(tx, taskId))!.state} and cannot be cancelled.`)
        const announceHolds = await updateHolds(tx, moved.planId)
        await appendEvent(tx, projectTopic(projectId), { type: 'task.cancelled', actor, data: { task: moved } })
        await announceHolds()
        return moved
      })
      await cancelRuns(taskId)
      return cancelled
    },

    /**
     * Goes on from where the task stopped: at the first gate that its present tree has not passed. Throws `conflict`
     * when it did not stop, or waits for nothing but a person's approval.
     */
    async retry(actor: Actor, taskId: TaskId): Promise<Task> {
      const { projectId } = await decided(actor, taskId)
      const { autonomy } = await projectFacts(projectId)
      const moved = await db.as(actor, async (tx) => {
        const task = (await findTask(tx, taskId, 'update'))!
        if (task.state !== 'failed' && task.state !== 'needs_you')
          throw conflict(`The task is ${task.state}; there is nothing to retry.`)
        const to = await firstOpenGate(tx, task)
        if (to === 'merging' && autonomy === 'review_all')
          throw conflict('It waits for your approval. Approve it, and it merges.')
        // An author who works again is told why the branch came back: the reason stays.
        const again = { returns: 0, claims: [], tree: null, mergedAs: null }
        const change = to === 'working' ? again : { reason: null, ...(to === 'merging' && { queuedAt: new Date() }) }
        const gone = (await moveTask(tx, taskId, { from: [task.state] }, { ...change, state: to }))!
        const announceHolds = await updateHolds(tx, task.planId)
        if (to === 'reviewing') await gates.startReview(tx, gone)
        if (to === 'working')
          await startRun(tx, {
            projectId,
            conversationId: task.conversationId,
            taskId,
            role: task.role,
            purpose: 'work',
            userId: await findTaskPerson(tx, taskId),
          })
        await appendEvent(tx, projectTopic(projectId), { type: 'task.started', actor, data: { task: gone } })
        await announceHolds()
        return gone
      })
      if (moved.state === 'checking') await queue.ring('task.check', `${taskId}.${moved.head}`)
      if (moved.state === 'merging') await queue.ring('task.merge', `${projectId}.${taskId}.${Date.now()}`)
      return moved
    },

    /** Finds what no worker attends to: after a crash, a lost ring, an emptied queue. Runs every second. */
    async sweep(): Promise<void> {
      const unattended = await db.system((tx) => listUnattended(tx))
      for (const { id, projectId, state, epoch } of unattended)
        if (state === 'checking') await queue.ring('task.check', `${id}.${epoch}`)
        else await queue.ring('task.merge', `${projectId}.${id}.${epoch}`)
      scheduleSoon()
    },
  }
}
/** The first gate that the branch as it stands has not passed. */
async function firstOpenGate(tx: Db, task: Task): Promise<'working' | 'checking' | 'reviewing' | 'merging'> {
  if (task.state === 'failed' || task.tree === null || task.claims.length === 0) return 'working'
  if (!(await findProof(tx, task.id, task.tree))) return 'checking'
  return (await findApproval(tx, task)) ? 'merging' : 'reviewing'
}
export type { RunOrder } from './deps.ts'
export type TaskService = ReturnType<typeof createTaskService>
