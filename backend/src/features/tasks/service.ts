import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ConversationId, ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Autonomy } from '@guildhall/protocol/projects.ts'
import type { CriterionName, Task, TaskDetail } from '@guildhall/protocol/tasks.ts'
import type { Action } from '../projects/service.ts'
import { conflict, forbidden, invalid, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Db } from '../../platform/db/database.ts'
import type { TaskDeps } from './deps.ts'
import { printDocument } from './document.ts'
import { createGates } from './gates.ts'
import { updateHolds } from './holds.ts'
import { listUnattended } from './lease.ts'
import { createMergeQueue } from './merge-queue.ts'
import { createPlanning } from './planning.ts'
import { type Announce, createReturns } from './returns.ts'
import { createScheduler } from './scheduler.ts'
import { listStanding, type StandingCriterion } from './standing.ts'
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
  lockAtGates,
  moveTask,
} from './store.ts'

/**
 * Tasks: documents, gates and the merge queue. A plan becomes tasks, a person approves, the crew works, and main takes
 * only what passed its checks and another role's review. State lives in the rows; the queue only rings.
 */
export function createTaskService(deps: TaskDeps) {
  const { db, authorize, conversations, queue, projectFacts, startRun, cancelRuns } = deps
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

  /** A task that waits for a person's word, locked. Throws `conflict` for any other. */
  async function stopped(tx: Db, taskId: TaskId): Promise<Task> {
    const task = (await findTask(tx, taskId, 'update'))!
    if (task.state !== 'failed' && task.state !== 'needs_you')
      throw conflict(`The task is ${task.state}; it does not wait for you.`)
    return task
  }

  const orderWork = async (tx: Db, { projectId, conversationId, id, role }: Task) =>
    startRun(tx, { projectId, conversationId, taskId: id, role, purpose: 'work', userId: await findTaskPerson(tx, id) })

  /** Moves a stopped task to the first gate its tree has not passed; `announce` comes before the other facts. */
  async function goOn(
    tx: Db,
    actor: Actor,
    task: Task,
    autonomy: Autonomy,
    announce: () => Promise<unknown> = async () => undefined,
  ): Promise<Task> {
    const to = await firstOpenGate(tx, task)
    if (to === 'merging' && autonomy === 'review_all')
      throw conflict('It waits for your approval. Approve it, and it merges.')
    // An author who works again is told why the branch came back: the reason stays.
    const again = { returns: 0, claims: [], tree: null, mergedAs: null }
    const change = to === 'working' ? again : { reason: null, ...(to === 'merging' && { queuedAt: new Date() }) }
    // Whom it was for may have left the project: it goes on for whoever says so.
    const person = actor.kind === 'user' && { createdFor: actor.userId }
    const gone = (await moveTask(tx, task.id, { from: [task.state] }, { ...change, ...person, state: to }))!
    const announceHolds = await updateHolds(tx, task.planId)
    if (to === 'reviewing') await gates.startReview(tx, gone)
    if (to === 'working') await orderWork(tx, gone)
    await announce()
    await appendEvent(tx, projectTopic(task.projectId), { type: 'task.started', actor, data: { task: gone } })
    await announceHolds()
    return gone
  }

  /** Rings for the gate that a task was moved to, once that is committed. */
  async function ringFor(task: Task): Promise<Task> {
    if (task.state === 'checking') await queue.ring('task.check', `${task.id}.${task.head}`)
    if (task.state === 'merging') await queue.ring('task.merge', `${task.projectId}.${task.id}.${Date.now()}`)
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
        await returns.sayWhenDone(tx, moved)
        return moved
      })
      await cancelRuns(taskId)
      return cancelled
    },

    /**
     * A person's stop for what needs no run: tasks in their checks or in the merge queue wait for the person, so that
     * nothing starts another run. One that is being merged at this moment is merged. The caller has asked for permission.
     */
    async stopConversation(conversationId: ConversationId): Promise<void> {
      await db.system(async (tx) => {
        const announcements: Announce[] = []
        for (const task of await lockAtGates(tx, conversationId))
          announcements.push(await returns.askPerson(tx, task, 'You stopped it. Try again, and it goes on from there.'))
        for (const announce of announcements) await announce()
      })
    },

    /**
     * Goes on from where the task stopped: at the first gate that its present tree has not passed. Throws `conflict`
     * when it did not stop, or waits for nothing but a person's approval.
     */
    async retry(actor: Actor, taskId: TaskId): Promise<Task> {
      const { projectId } = await decided(actor, taskId)
      const { autonomy } = await projectFacts(projectId)
      return ringFor(await db.as(actor, async (tx) => goOn(tx, actor, await stopped(tx, taskId), autonomy)))
    },

    /**
     * A person lets standing criteria go for the sake of a task that stopped: it replaces them, and goes on from where
     * it stands. They hold for everybody else until it merges. Throws `invalid` for one that does not stand, `conflict`.
     */
    async replace(actor: Actor, taskId: TaskId, criteria: CriterionName[]): Promise<Task> {
      const { projectId } = await decided(actor, taskId)
      const { autonomy } = await projectFacts(projectId)
      const gone = await db.as(actor, async (tx) => {
        const task = await stopped(tx, taskId)
        const standing = new Set((await listStanding(tx, projectId)).map(({ name }) => name))
        const unknown = criteria.filter((name) => !standing.has(name))
        if (unknown.length > 0) throw invalid(`${unknown.join(', ')} does not stand on main.`)
        const replaces = [...new Set([...task.replaces, ...criteria])]
        const amended = (await moveTask(tx, taskId, { from: [task.state] }, { replaces }))!
        return goOn(tx, actor, amended, autonomy, () =>
          appendEvent(tx, projectTopic(projectId), { type: 'task.amended', actor, data: { task: amended } }),
        )
      })
      return ringFor(gone)
    },

    /** A person sends a task that stopped back to its author with words of their own. Throws `conflict`. */
    async requestTaskChanges(
      actor: Actor & { kind: 'user' },
      taskId: TaskId,
      comment: string,
      personName: string,
    ): Promise<Task> {
      const { projectId } = await decided(actor, taskId)
      return db.as(actor, async (tx) => {
        const task = await stopped(tx, taskId)
        if (!task.branch) throw conflict('Nobody has begun this task yet. Retry it, or cancel it.')
        const reason = `${personName} asks for changes.\n\n${comment}`
        const again = { reason, returns: 0, claims: [], tree: null, mergedAs: null, createdFor: actor.userId }
        const moved = (await moveTask(tx, taskId, { from: [task.state] }, { ...again, state: 'working' }))!
        const announceHolds = await updateHolds(tx, task.planId)
        await orderWork(tx, moved)
        const about = { conversationId: task.conversationId, projectId, taskId }
        const sender = { kind: 'user' as const, userId: actor.userId, name: personName }
        await conversations.post(tx, { ...about, sender, kind: 'chat', content: comment, actor })
        const data = { task: moved, reason }
        await appendEvent(tx, projectTopic(projectId), { type: 'task.returned', actor, data })
        await announceHolds()
        return moved
      })
    },

    /** What main keeps, for who plans: the standing criteria, each command once, newest first. */
    async standing(projectId: ProjectId): Promise<StandingCriterion[]> {
      const standing = await db.system((tx) => listStanding(tx, projectId))
      const newest = new Map(
        standing.toReversed().map((criterion) => [JSON.stringify(criterion.check.argv), criterion]),
      )
      return standing.filter((criterion) => newest.get(JSON.stringify(criterion.check.argv)) === criterion)
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
  const own = task.criteria.map(({ check }) => check)
  if (!(await findProof(tx, task.id, task.tree, own))) return 'checking'
  return (await findApproval(tx, task)) ? 'merging' : 'reviewing'
}
export type { RunOrder } from './deps.ts'
export type TaskService = ReturnType<typeof createTaskService>
