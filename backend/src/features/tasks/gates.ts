import type { Actor } from '@guildhall/protocol/actor.ts'
import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Autonomy } from '@guildhall/protocol/projects.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { CheckRun, FinishInput, Review, Task, VerdictInput } from '@guildhall/protocol/tasks.ts'
import { matchesGlob } from 'node:path'
import type { Db } from '../../platform/db/database.ts'
import { isAppError, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { runChecks } from './checks.ts'
import type { TaskDeps } from './deps.ts'
import { documentPath, printDocument } from './document.ts'
import { finishRefusals } from './finish-rules.ts'
import { type Claimed, claimCheck, LeaseLost, underLease } from './lease.ts'
import type { Returns } from './returns.ts'
import { platformAuthor } from './scheduler.ts'
import { askedOf } from './standing.ts'
import {
  findPlanNumber,
  findReviewOfRun,
  findTask,
  findTaskPerson,
  insertCheckRun,
  insertReview,
  listCheckRuns,
  listEvidence,
  moveTask,
} from './store.ts'

const house = { kind: 'system' } as const
/** Nobody reviews their own role's work. */
export const reviewerOf = (author: Role): Role => (author === 'architect' ? 'engineer' : 'architect')

/** The gates between "I am done" and the merge queue: claims with evidence, checks in a fresh container, review. */
export function createGates(deps: TaskDeps, returns: Returns) {
  const { db, repository, queue, projectFacts, startRun, log } = deps

  const { giveBack, askPerson, red } = returns

  const mustFind = async (tx: Db, taskId: TaskId, lock?: 'update'): Promise<Task> => {
    const task = await findTask(tx, taskId, lock)
    if (!task) throw notFound('Task')
    return task
  }

  async function startReview(tx: Db, task: Task): Promise<void> {
    await startRun(tx, {
      projectId: task.projectId,
      conversationId: task.conversationId,
      taskId: task.id,
      role: reviewerOf(task.role),
      purpose: 'review',
      userId: await findTaskPerson(tx, task.id),
    })
  }

  /** Paths that the change touches although a constraint says it must not. */
  async function brokenConstraints(task: Task): Promise<string[]> {
    const guarded = task.constraints.filter(({ paths }) => paths?.length)
    if (guarded.length === 0) return []
    const planNumber = await db.system((tx) => findPlanNumber(tx, task.planId))
    const document = documentPath(planNumber, task)
    // The document is the platform's own; no constraint of the work speaks of it.
    const changed = (await repository.changedPaths(task.projectId, task.base!, task.head!)).filter(
      (path) => path !== document,
    )
    return guarded.flatMap(({ text, paths }) =>
      changed
        .filter((path) => paths!.some((glob) => covers(glob, path)))
        .map((path) => `${path} was changed, but: ${text}`),
    )
  }

  return {
    startReview,

    /** Takes an agent's "done" with its claims and sends the branch to its checks; or answers what is missing. */
    async finish(
      agent: Actor,
      taskId: TaskId,
      _runId: RunId,
      input: FinishInput,
    ): Promise<{ ok: true } | { ok: false; refusals: string[] }> {
      const [task, evidence, planNumber] = await db.as(agent, async (tx) => {
        const found = await mustFind(tx, taskId)
        return [found, await listEvidence(tx, found), await findPlanNumber(tx, found.planId)] as const
      })
      // The same call again after a crash: it was taken.
      if (task.state === 'checking') return { ok: true }
      if (task.state !== 'working') return nothingToFinish(task)
      const { projectId } = task
      const branch = task.branch!
      const before = await repository.head(projectId, branch)
      // A branch that took main in left main later than it was begun: what it changes counts from there.
      const base = await repository.mergeBase(projectId, 'main', before)
      const changed = await repository.changedPaths(projectId, base, before)
      const document = documentPath(planNumber, task)
      const refusals = finishRefusals(
        task,
        input,
        evidence,
        changed.some((path) => path !== document),
      )
      if (refusals.length > 0) return { ok: false, refusals }

      const head = await repository.writeCommit(projectId, branch, {
        files: [{ path: document, content: printDocument(task) }],
        message: `docs(tasks): ${task.key} ready for review\n\nTask: ${task.key}`,
        author: platformAuthor,
      })
      const tree = await repository.treeOf(projectId, head)
      const settled = await db.as(agent, async (tx) => {
        const change = { state: 'checking' as const, reason: null, base, head, tree, ...input }
        const finished = await moveTask(tx, taskId, { from: ['working'] }, change)
        if (!finished) return mustFind(tx, taskId)
        await appendEvent(tx, projectTopic(projectId), {
          type: 'task.finished',
          actor: agent,
          data: { task: finished },
        })
        return finished
      })
      if (settled.state !== 'checking') return nothingToFinish(settled)
      await queue.ring('task.check', `${taskId}.${head}`)
      return { ok: true }
    },

    /** The queue's door: runs the checks of a branch under a lease. Rung twice, it runs once. */
    async check(taskId: TaskId): Promise<void> {
      const claimed = await db.system((tx) => claimCheck(tx, taskId))
      if (!claimed) return
      const { task, epoch } = claimed
      try {
        await underLease(db, claimed, (signal) => checkClaimed(claimed, signal))
      } catch (error) {
        if (error instanceof LeaseLost) return
        log.error({ err: error, taskId }, 'checks could not run')
        const why = isAppError(error) ? error.message : 'an internal error, see the log'
        await db.system(async (tx) => {
          const announce = await askPerson(tx, task, `The checks could not run: ${why}.`, epoch)
          await announce()
        })
      }
    },

    /** What a reviewer reads: exactly the bound change and its check run. */
    async reviewContext(taskId: TaskId) {
      const { task, checkRuns } = await db.system(async (tx) => ({
        task: await mustFind(tx, taskId),
        checkRuns: await listCheckRuns(tx, taskId),
      }))
      const base = task.base!
      const head = task.head!
      const tree = task.tree!
      const diffText = await repository.diffText(task.projectId, base, head, 200_000)
      const checkRun: CheckRun | null = checkRuns.find((run) => run.tree === tree) ?? null
      return { task, base, head, tree, diffText, checkRun }
    },

    /** Takes a reviewer's verdict, bound to the base commit and the branch's tree as they stand. */
    async verdict(
      agent: Actor & { kind: 'agent' },
      taskId: TaskId,
      runId: RunId,
      input: VerdictInput,
    ): Promise<{ ok: true } | { ok: false; refusals: string[] }> {
      const { projectId } = await db.system((tx) => mustFind(tx, taskId))
      const { autonomy } = await projectFacts(projectId)
      const refusals = await db.as(agent, async (tx): Promise<string[]> => {
        const task = await mustFind(tx, taskId, 'update')
        if (await findReviewOfRun(tx, runId)) return []
        if (task.state !== 'reviewing') return [`The task is ${task.state}; there is nothing to review.`]
        if (agent.role === task.role) return ['Your own role wrote this change; another role reviews it.']
        const bound = { taskId, runId, role: agent.role, base: task.base!, tree: task.tree! }
        const review = (await insertReview(tx, projectId, { ...bound, ...input }))!
        await settleReview(tx, agent, task, review, autonomy)
        return []
      })
      if (refusals.length > 0) return { ok: false, refusals }
      await queue.ring('task.merge', `${projectId}.${taskId}.${runId}`)
      return { ok: true }
    },

    /** Called after a run's last step. A run that ended without its tool (finish, verdict) leaves the task to the person. */
    async runEnded(
      run: { id: RunId; taskId: TaskId | null; purpose: RunPurpose },
      outcome: 'done' | 'failed' | 'cancelled',
      error: string | null,
    ): Promise<void> {
      const { taskId } = run
      if (!taskId) return
      const expected = run.purpose === 'work' ? 'working' : 'reviewing'
      await db.system(async (tx) => {
        const task = await findTask(tx, taskId, 'update')
        if (!task || task.state !== expected) return
        const reason =
          outcome === 'cancelled'
            ? 'You stopped it. Retry goes on from its last commit.'
            : (error ?? 'It ended without a result.')
        const announce = await askPerson(tx, task, reason)
        await announce()
      })
    },
  }

  async function checkClaimed({ task, epoch }: Claimed, signal: AbortSignal): Promise<void> {
    const { projectId } = task
    const startedAt = new Date().toISOString()
    const { setupCommand } = await projectFacts(projectId)
    const broken = await brokenConstraints(task)
    const outcome =
      broken.length > 0
        ? { passed: false, results: [], error: `Constraints are not kept:\n${broken.join('\n')}` }
        : await runChecks(
            deps,
            projectId,
            { commit: task.head!, setupCommand, criteria: await askedOf(deps, task) },
            signal,
          )
    const endedAt = new Date().toISOString()
    await db.system(async (tx) => {
      const change = outcome.passed ? { state: 'reviewing' as const, leaseUntil: null } : {}
      const checked = await moveTask(tx, task.id, { from: ['checking'], epoch }, { ...change, reason: null })
      if (!checked) throw new LeaseLost('the task moved on')
      const run = { taskId: task.id, stage: 'branch' as const, tree: task.tree!, ...outcome, startedAt, endedAt }
      const checkRun = await insertCheckRun(tx, projectId, run)
      const headline = 'The checks failed in a fresh container.'
      const announce = outcome.passed
        ? await startReview(tx, checked)
        : await red(tx, checked, outcome, headline, epoch)
      await appendEvent(tx, projectTopic(projectId), {
        type: 'task.checked',
        actor: house,
        data: { task: checked, checkRun },
      })
      await announce?.()
    })
  }

  async function settleReview(tx: Db, agent: Actor, task: Task, review: Review, autonomy: Autonomy): Promise<void> {
    const topic = projectTopic(task.projectId)
    const tell = (reviewed: Task) =>
      appendEvent(tx, topic, { type: 'task.reviewed', actor: agent, data: { task: reviewed, review } })
    if (review.verdict === 'request_changes') {
      const comments = review.comments.map(({ path, line, body, severity }) => `${path}:${line} (${severity}) ${body}`)
      const reason = ['The reviewer asks for changes.', review.summary, ...comments].join('\n\n')
      const announce = await giveBack(tx, task, reason)
      await tell(task)
      return announce()
    }
    if (autonomy === 'review_all') {
      const announce = await askPerson(tx, task, 'It passed its checks and its review. Approve it, and it merges.')
      await tell(task)
      return announce()
    }
    const change = { state: 'merging' as const, queuedAt: new Date() }
    const queued = (await moveTask(tx, task.id, { from: ['reviewing'] }, change))!
    await tell(queued)
    await appendEvent(tx, topic, { type: 'task.queued', actor: house, data: { task: queued } })
  }
}

const nothingToFinish = ({ state }: Task) => ({
  ok: false as const,
  refusals: [`The task is ${state}; there is nothing to finish.`],
})

/** A glob, or a folder with all that is in it, written as people do: `src`, `src/`, `./src`. */
function covers(glob: string, path: string): boolean {
  const plain = glob.replace(/^(\.?\/)+/, '').replace(/\/+$/, '')
  return matchesGlob(path, plain) || path.startsWith(`${plain}/`)
}
export type Gates = ReturnType<typeof createGates>
