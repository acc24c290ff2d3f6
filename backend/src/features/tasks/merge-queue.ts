import type { ProjectId, Sha } from '@guildhall/protocol/ids.ts'
import type { Task } from '@guildhall/protocol/tasks.ts'
import { isAppError } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { runChecks } from './checks.ts'
import type { TaskDeps } from './deps.ts'
import { type Claimed, claimMerge, LeaseLost, underLease } from './lease.ts'
import type { Returns } from './returns.ts'
import { platformAuthor } from './scheduler.ts'
import { askedOf } from './standing.ts'
import { findProof, insertCheckRun, moveTask } from './store.ts'

const house = { kind: 'system' } as const
/** Main may move under our feet by other doors; after this many tries the task stays first in the queue. */
const maxTries = 5

/** One at a time per project: main only ever moves to a tree on which the checks have passed. */
export function createMergeQueue(deps: TaskDeps, returns: Returns, scheduleSoon: (projectId: ProjectId) => void) {
  const { db, repository, queue, projectFacts, log } = deps

  /** True when the tree is proved; false when the branch went back to its author. */
  async function prove(task: Task, epoch: number, tree: Sha, commit: Sha, signal: AbortSignal): Promise<boolean> {
    const criteria = await askedOf(deps, task)
    const checks = criteria.map(({ check }) => check)
    if (await db.system((tx) => findProof(tx, task.id, tree, checks))) return true
    const startedAt = new Date().toISOString()
    const { setupCommand } = await projectFacts(task.projectId)
    const outcome = await runChecks(deps, task.projectId, { commit, setupCommand, criteria }, signal)
    return db.system(async (tx) => {
      const held = await moveTask(tx, task.id, { from: ['merging'], epoch }, { reason: null })
      if (!held) throw new LeaseLost('the task moved on')
      const endedAt = new Date().toISOString()
      const run = { taskId: task.id, stage: 'merge' as const, tree, ...outcome, startedAt, endedAt }
      const checkRun = await insertCheckRun(tx, task.projectId, run)
      const headline = 'The checks failed on the tree that main would become.'
      const announce = outcome.passed ? null : await returns.red(tx, held, outcome, headline, epoch)
      await appendEvent(tx, projectTopic(task.projectId), {
        type: 'task.checked',
        actor: house,
        data: { task: held, checkRun },
      })
      await announce?.()
      return outcome.passed
    })
  }

  async function record(task: Task, epoch: number, mergedAs: Sha): Promise<void> {
    await db.system(async (tx) => {
      const change = { state: 'merged' as const, mergedAs, reason: null, leaseUntil: null }
      const merged = await moveTask(tx, task.id, { from: ['merging'], epoch }, change)
      if (!merged) throw new LeaseLost('the task moved on')
      await appendEvent(tx, projectTopic(task.projectId), { type: 'task.merged', actor: house, data: { task: merged } })
      await returns.sayWhenDone(tx, merged)
    })
  }

  async function merge({ task, epoch, userId }: Claimed, signal: AbortSignal): Promise<void> {
    const { projectId } = task
    const actor = house
    // A crash after main moved and before the row knew: the commit was written down first, and moving to it again is
    // answered with "moved" exactly when main has it.
    const noted = task.mergedAs
    if (noted) {
      const again = { from: noted, to: noted, branch: task.branch!, taskId: task.id }
      if ((await repository.casMain(actor, projectId, again)) === 'moved') return record(task, epoch, noted)
    }
    for (let attempt = 0; attempt < maxTries; attempt++) {
      const main = await repository.head(projectId, 'main')
      const merged = await repository.mergeTree(projectId, main, task.head!)
      if (merged.kind === 'conflict') {
        const reason = `main has moved, and your branch conflicts with it in: ${merged.paths.join(', ')}. Merge main into your branch (git merge main), resolve these files, commit, and finish again.`
        return db.system(async (tx) => {
          const announce = await returns.giveBack(tx, task, reason, epoch)
          await announce()
        })
      }
      if (merged.tree === (await repository.treeOf(projectId, main))) return record(task, epoch, main)
      const to = await repository.commitMerge(projectId, {
        tree: merged.tree,
        parents: [main, task.head!],
        message: `merge(${task.key}): ${task.title}\n\nTask: ${task.key}\nBranch: ${task.branch}\nFor: ${userId}`,
        author: platformAuthor,
      })
      if (!(await prove(task, epoch, merged.tree, to, signal))) return
      const held = await db.system((tx) => moveTask(tx, task.id, { from: ['merging'], epoch }, { mergedAs: to }))
      if (!held || signal.aborted) throw new LeaseLost('the task moved on')
      const moved = await repository.casMain(actor, projectId, {
        from: main,
        to,
        branch: task.branch!,
        taskId: task.id,
      })
      if (moved === 'moved') return record(task, epoch, to)
    }
    log.warn({ taskId: task.id }, 'main kept moving; the task stays first in the queue')
  }

  return {
    /** The queue's door: merges the first task that waits in a project, then rings for the next. */
    async mergeNext(projectId: ProjectId): Promise<void> {
      const claimed = await db.system((tx) => claimMerge(tx, projectId))
      if (!claimed) return
      const { task, epoch } = claimed
      try {
        await underLease(db, claimed, (signal) => merge(claimed, signal))
      } catch (error) {
        if (error instanceof LeaseLost) return
        log.error({ err: error, taskId: task.id }, 'a merge could not run')
        const why = isAppError(error) ? error.message : 'an internal error, see the log'
        await db.system(async (tx) => {
          const announce = await returns.askPerson(tx, task, `It could not be merged: ${why}.`, epoch)
          await announce()
        })
      }
      await queue.ring('task.merge', `${projectId}.${task.id}.next-${epoch}`)
      scheduleSoon(projectId)
    },
  }
}
