import type { Actor } from '@guildhall/protocol/actor.ts'
import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { CheckRun, FinishInput, Review, Task, VerdictInput } from '@guildhall/protocol/tasks.ts'
import { matchesGlob } from 'node:path'
import type { Db } from '../../platform/db/database.ts'
import { isAppError, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { failureText, runChecks } from './checks.ts'
import type { TaskDeps } from './deps.ts'
import { documentPath, printDocument } from './document.ts'
import { finishRefusals } from './finish-rules.ts'
import { leaseMs, LeaseLost, underLease } from './lease.ts'
import { platformAuthor } from './scheduler.ts'
import {
  claimCheck,
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
/** After this many returns the task stops and asks the person. */
const maxReturns = 2

/** Nobody reviews their own role's work. */
export const reviewerOf = (author: Role): Role => (author === 'architect' ? 'engineer' : 'architect')

/** The gates between "I am done" and the merge queue: claims with evidence, checks in a fresh container, review. */
export function createGates(deps: TaskDeps) {
  const { db, repository, conversations, queue, projectFacts, startRun, log } = deps

  const mustFind = async (tx: Db, taskId: TaskId): Promise<Task> => {
    const task = await findTask(tx, taskId)
    if (!task) throw notFound('Task')
    return task
  }

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

  /** Back to the author with the reason, or to a plain end after too many returns. Approval and claims are void. */
  async function giveBack(tx: Db, task: Task, reason: string, epoch?: number): Promise<void> {
    const topic = projectTopic(task.projectId)
    const guard = { from: [task.state], epoch }
    const returns = task.returns + 1
    if (returns > maxReturns) {
      const failed = await moveTask(tx, task.id, guard, { state: 'failed', reason, returns, leaseUntil: null })
      if (!failed) throw new LeaseLost('the task moved on')
      await say(tx, failed, `**${task.title}** failed and was not merged. It came back ${returns} times.\n\n${reason}`)
      await appendEvent(tx, topic, { type: 'task.failed', actor: house, data: { task: failed, reason } })
      return
    }
    const change = { state: 'working' as const, reason, returns, claims: [], mergedAs: null, leaseUntil: null }
    const returned = await moveTask(tx, task.id, guard, change)
    if (!returned) throw new LeaseLost('the task moved on')
    await startRun(tx, {
      projectId: task.projectId,
      conversationId: task.conversationId,
      taskId: task.id,
      role: task.role,
      purpose: 'work',
      userId: await findTaskPerson(tx, task.id),
    })
    await appendEvent(tx, topic, { type: 'task.returned', actor: house, data: { task: returned, reason } })
  }

  /** Something outside the work went wrong: the person decides when to go on; nothing is lost. */
  async function askPerson(tx: Db, task: Task, reason: string, epoch?: number): Promise<void> {
    const asked = await moveTask(
      tx,
      task.id,
      { from: [task.state], epoch },
      { state: 'needs_you', reason, leaseUntil: null },
    )
    if (!asked) return
    await say(tx, asked, `**${task.title}** needs you. ${reason}`)
    await appendEvent(tx, projectTopic(task.projectId), {
      type: 'task.failed',
      actor: house,
      data: { task: asked, reason },
    })
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
    const changed = await repository.changedPaths(task.projectId, task.base!, task.head!)
    return guarded.flatMap(({ text, paths }) =>
      changed
        .filter((path) => paths!.some((glob) => matchesGlob(path, glob) || path.startsWith(`${glob}/`)))
        .map((path) => `${path} was changed, but: ${text}`),
    )
  }

  return {
    say,
    giveBack,
    askPerson,
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
        return [found, await listEvidence(tx, found.projectId, taskId), await findPlanNumber(tx, found.planId)] as const
      })
      // The same call again after a crash: it was taken.
      if (task.state === 'checking') return { ok: true }
      if (task.state !== 'working')
        return { ok: false, refusals: [`The task is ${task.state}; there is nothing to finish.`] }
      const { projectId } = task
      const branch = task.branch!
      const before = await repository.head(projectId, branch)
      const changed = await repository.changedPaths(projectId, task.base!, before)
      const hasWork = changed.some((path) => path !== documentPath(planNumber, task))
      const refusals = finishRefusals(task, input, evidence, hasWork)
      if (refusals.length > 0) return { ok: false, refusals }

      await repository.writeCommit(projectId, branch, {
        files: [{ path: documentPath(planNumber, task), content: printDocument(task) }],
        message: `docs(tasks): ${task.key} ready for review\n\nTask: ${task.key}`,
        author: platformAuthor,
      })
      const head = await repository.head(projectId, branch)
      const tree = await repository.treeOf(projectId, head)
      await db.as(agent, async (tx) => {
        const change = { state: 'checking' as const, reason: null, head, tree, ...input }
        const finished = await moveTask(tx, taskId, { from: ['working'] }, change)
        if (!finished) return
        await appendEvent(tx, projectTopic(projectId), {
          type: 'task.finished',
          actor: agent,
          data: { task: finished },
        })
      })
      await queue.ring('task.check', `${taskId}.${head}`)
      return { ok: true }
    },

    /** The queue's door: runs the checks of a branch under a lease. Rung twice, it runs once. */
    async check(taskId: TaskId): Promise<void> {
      const claimed = await db.system((tx) => claimCheck(tx, taskId, leaseMs))
      if (!claimed) return
      const { task, epoch } = claimed
      const startedAt = new Date().toISOString()
      try {
        await underLease(db, taskId, epoch, async (signal) => {
          const { setupCommand } = await projectFacts(task.projectId)
          const broken = await brokenConstraints(task)
          const outcome =
            broken.length > 0
              ? { passed: false, results: [], error: `Constraints are not kept:\n${broken.join('\n')}` }
              : await runChecks(
                  deps,
                  task.projectId,
                  { commit: task.head!, setupCommand, criteria: task.criteria },
                  signal,
                )
          await db.system(async (tx) => {
            const change = outcome.passed ? { state: 'reviewing' as const, leaseUntil: null } : {}
            const checked = await moveTask(tx, taskId, { from: ['checking'], epoch }, { ...change, reason: null })
            if (!checked) throw new LeaseLost('the task moved on')
            const checkRun = await insertCheckRun(tx, task.projectId, {
              taskId,
              stage: 'branch',
              tree: task.tree!,
              ...outcome,
              startedAt,
              endedAt: new Date().toISOString(),
            })
            if (outcome.passed) await startReview(tx, checked)
            await appendEvent(tx, projectTopic(task.projectId), {
              type: 'task.checked',
              actor: house,
              data: { task: checked, checkRun },
            })
            if (!outcome.passed)
              await giveBack(tx, checked, `The checks failed in a fresh container.\n\n${failureText(outcome)}`, epoch)
          })
        })
      } catch (error) {
        if (error instanceof LeaseLost) return
        log.error({ err: error, taskId }, 'checks could not run')
        const reason = `The checks could not run: ${isAppError(error) ? error.message : 'an internal error, see the log'}.`
        await db.system((tx) => askPerson(tx, task, reason, epoch))
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
      const refusals = await db.as(agent, async (tx): Promise<string[]> => {
        if (await findReviewOfRun(tx, runId)) return []
        const task = (await findTask(tx, taskId, 'update')) ?? (await mustFind(tx, taskId))
        if (task.state !== 'reviewing') return [`The task is ${task.state}; there is nothing to review.`]
        if (agent.role === task.role) return ['Your own role wrote this change; another role reviews it.']
        const review = await insertReview(tx, task.projectId, {
          taskId,
          runId,
          role: agent.role,
          base: task.base!,
          tree: task.tree!,
          ...input,
        })
        await settleReview(tx, agent, task, review!)
        return []
      })
      if (refusals.length > 0) return { ok: false, refusals }
      const task = await db.system((tx) => mustFind(tx, taskId))
      if (task.state === 'merging') await queue.ring('task.merge', `${task.projectId}.${taskId}.${runId}`)
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
        await askPerson(tx, task, reason)
      })
    },
  }

  async function settleReview(tx: Db, agent: Actor, task: Task, review: Review): Promise<void> {
    const topic = projectTopic(task.projectId)
    if (review.verdict === 'request_changes') {
      await appendEvent(tx, topic, { type: 'task.reviewed', actor: agent, data: { task, review } })
      const comments = review.comments.map(({ path, line, body, severity }) => `${path}:${line} (${severity}) ${body}`)
      await giveBack(tx, task, ['The reviewer asks for changes.', review.summary, ...comments].join('\n\n'))
      return
    }
    const { autonomy } = await projectFacts(task.projectId)
    if (autonomy === 'review_all') {
      await appendEvent(tx, topic, { type: 'task.reviewed', actor: agent, data: { task, review } })
      await askPerson(tx, task, 'It passed its checks and its review. Approve it, and it merges.')
      return
    }
    const queued = await moveTask(tx, task.id, { from: ['reviewing'] }, { state: 'merging', queuedAt: new Date() })
    await appendEvent(tx, topic, { type: 'task.reviewed', actor: agent, data: { task: queued!, review } })
    await appendEvent(tx, topic, { type: 'task.queued', actor: house, data: { task: queued! } })
  }
}
export type Gates = ReturnType<typeof createGates>
