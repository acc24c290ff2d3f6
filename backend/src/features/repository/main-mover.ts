import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Db } from '../../platform/db/database.ts'
import { invalid, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { lockRepository } from './locks.ts'
import { checkedSha } from './names.ts'
import { commitOf, isAncestor, moveRef, parentsOf } from './objects.ts'
import { findBranch, findBranchAt, updateBranch } from './store.ts'
import type { Shared } from './work-tree-keeper.ts'

export interface MainMove {
  from: Sha
  to: Sha
  branch: string | null
  taskId: TaskId | null
}

/** The one place where main moves. */
export function createMainMover({
  db,
  folderOf,
  inTurn,
  log,
  followMain,
}: Shared & { followMain: (projectId: ProjectId) => Promise<void> }) {
  async function record(tx: Db, actor: Actor, projectId: ProjectId, move: MainMove): Promise<void> {
    await updateBranch(tx, projectId, 'main', { headSha: move.to })
    if (move.branch) await updateBranch(tx, projectId, move.branch, { status: 'merged', mergedSha: move.to })
    await appendEvent(tx, projectTopic(projectId), { type: 'main.moved', actor, data: move })
  }

  /** A move whose record was lost with its process, told by the branch that its commit merged. */
  async function lostMove(tx: Db, projectId: ProjectId, from: Sha, to: Sha): Promise<MainMove> {
    const merged = await findBranchAt(tx, projectId, await parentsOf(folderOf(projectId), to))
    return { from, to, branch: merged?.name ?? null, taskId: merged?.taskId ?? null }
  }

  async function moveOnce(tx: Db, actor: Actor, projectId: ProjectId, move: MainMove): Promise<'moved' | 'stale'> {
    const repository = folderOf(projectId)
    await lockRepository(tx, projectId)
    const row = await findBranch(tx, projectId, 'main')
    if (!row) throw notFound('The repository')
    const stands = await commitOf(repository, 'main')
    // The ref moves first and the record follows, so a ref ahead of its row is a move that was not told yet.
    if (stands !== row.headSha) {
      const isThisMove = stands === move.to && row.headSha === move.from
      const untold = isThisMove ? move : await lostMove(tx, projectId, row.headSha, stands)
      await record(tx, actor, projectId, untold)
    }
    if (await isAncestor(repository, move.to, stands)) return 'moved'
    if (stands !== move.from) return 'stale'
    if (!(await isAncestor(repository, move.from, move.to))) throw invalid('main only moves forward')
    if (!(await moveRef(repository, 'main', move.from, move.to))) return 'stale'
    await record(tx, actor, projectId, move)
    return 'moved'
  }

  return {
    async move(actor: Actor, projectId: ProjectId, { from, to, branch, taskId }: MainMove): Promise<'moved' | 'stale'> {
      const move = { from: checkedSha(from), to: await commitOf(folderOf(projectId), checkedSha(to)), branch, taskId }
      const outcome = await inTurn(`refs:${projectId}`, () =>
        db.as(actor, (tx) => moveOnce(tx, actor, projectId, move)),
      )
      if (outcome === 'moved') {
        await followMain(projectId).catch((error: unknown) =>
          // Main has moved whatever the sandbox does; it catches up when it is next used.
          log.warn({ projectId, err: error }, 'the sandbox could not follow main'),
        )
      }
      return outcome
    },
  }
}
