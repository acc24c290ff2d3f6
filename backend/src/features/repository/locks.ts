import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'

/** One after another for equal keys, side by side for others. Within this process only. */
export function createQueues() {
  const tails = new Map<string, Promise<unknown>>()
  return async function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = tails.get(key) ?? Promise.resolve()
    const turn = before.then(work, work)
    const settled = turn.catch(() => undefined)
    tails.set(key, settled)
    try {
      return await turn
    } finally {
      if (tails.get(key) === settled) tails.delete(key)
    }
  }
}

/**
 * Only one transaction of all processes moves refs of a repository at a time; held until the transaction ends. The
 * in-process queue stands before it, so that waiters hold no connection. Who already holds this lock (`createBranch`
 * runs in its caller's transaction) must not enter the queue.
 */
export const lockRepository = (tx: Db, projectId: ProjectId) =>
  tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`repository:${projectId}`}, 0))`)

/** The same for the work trees of a sandbox. */
export const lockWorkTrees = (tx: Db, projectId: ProjectId) =>
  tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`worktrees:${projectId}`}, 0))`)
