import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, Sha } from '@guildhall/protocol/ids.ts'
import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import type { Database } from '../../platform/db/database.ts'
import { isAppError, notFound } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import { type createQueues, lockWorkTrees } from './locks.ts'
import { commitOf } from './objects.ts'
import { bringDependencies, type OnProgress } from './set-up.ts'
import { findBranch } from './store.ts'
import { restoreWip } from './wip.ts'
import {
  addWorkTree,
  fastForward,
  type Inside,
  isKnownAncestor,
  makeClone,
  probe,
  resetMain,
  workTreePath,
} from './work-trees.ts'

/** What this feature needs of the sandboxes: to know whether one runs, and to run git in it. */
export interface Sandboxes {
  get: (actor: Actor, projectId: ProjectId) => Promise<Pick<Sandbox, 'state'>>
  session: (projectId: ProjectId) => Promise<Inside>
}

export interface Shared {
  db: Database
  sandbox: Sandboxes
  templateOf: (projectId: ProjectId) => Promise<{ slug: string; setupCommand: string | null }>
  folderOf: (projectId: ProjectId) => string
  inTurn: ReturnType<typeof createQueues>
  onMainFollowed: ((projectId: ProjectId, what: { isInstalled: boolean }) => Promise<void>) | undefined
  log: Log
}

/** A branch's server listens on this plus its offset. */
const firstPort = 3_000

/** Keeps the clone and the work trees of a sandbox in step with the bare repository. */
export function createWorkTrees({ db, sandbox, templateOf, folderOf, inTurn, onMainFollowed, log }: Shared) {
  /** What has to be done is done by one process at a time; looking is free for all. */
  const changing = <T>(projectId: ProjectId, work: () => Promise<T>): Promise<T> =>
    inTurn(`worktrees:${projectId}`, () =>
      db.system(async (tx) => {
        await lockWorkTrees(tx, projectId)
        return work()
      }),
    )

  /** Makes the work tree stand where it should. Answers whether anything was done. */
  async function bring(projectId: ProjectId, session: Inside, branch: string, head: Sha): Promise<boolean> {
    const repository = folderOf(projectId)
    const main = branch === 'main' ? head : await commitOf(repository, 'main')
    const isInPlace = async () => {
      const found = await probe(session, branch)
      if (!found.main || !found.head) return { found, done: false }
      if (found.head === head) return { found, done: true }
      // Main always follows. Another work tree is left alone when something else is checked out in it, or when it has
      // commits that were not published yet.
      const isFree =
        branch !== 'main' && (found.checkedOut !== branch || !(await isKnownAncestor(repository, found.head, head)))
      return { found, done: isFree }
    }
    if ((await isInPlace()).done) return false
    return changing(projectId, async () => {
      const { found, done } = await isInPlace()
      if (done) return false
      if (!found.main) await makeClone(session, repository, main)
      if (branch === 'main') {
        if (found.main) await resetMain(session, repository, head, found.main)
        return true
      }
      if (!found.head) {
        await addWorkTree(session, repository, { branch, head, main: found.main ?? main })
        await restore(projectId, session, branch, head)
        return true
      }
      return fastForward(session, repository, { branch, from: found.head, to: head })
    })
  }

  /** A new work tree of a branch with unpublished work is one whose volume was lost. */
  async function restore(projectId: ProjectId, session: Inside, branch: string, head: Sha): Promise<void> {
    try {
      const outcome = await restoreWip(session, folderOf(projectId), branch, head)
      if (outcome !== 'nothing') log.info({ projectId, branch, outcome }, 'a lost work tree was made anew')
    } catch (error) {
      if (!isAppError(error, 'unavailable')) throw error
      log.warn({ projectId, branch, err: error }, 'work in progress could not be put back')
    }
  }

  async function dependencies(
    projectId: ProjectId,
    session: Inside,
    branch: string,
    onProgress?: OnProgress,
  ): Promise<boolean> {
    const { setupCommand: command } = await templateOf(projectId)
    const came = await inTurn(`setup:${projectId}:${branch}`, () =>
      bringDependencies(session, { branch, command, ...(onProgress && { onProgress }) }),
    )
    if (came !== 'ready') log.info({ projectId, branch, came }, 'dependencies are in')
    return came === 'installed'
  }

  async function portOf(projectId: ProjectId, branch: string): Promise<number> {
    const row = await db.system((tx) => findBranch(tx, projectId, branch))
    if (!row) throw notFound(`Branch ${branch}`)
    return firstPort + row.portOffset
  }

  async function ensure(
    projectId: ProjectId,
    branch: string,
    onProgress?: OnProgress,
  ): Promise<{ path: string; port: number; isInstalled: boolean }> {
    const port = await portOf(projectId, branch)
    const head = await commitOf(folderOf(projectId), branch)
    const session = await sandbox.session(projectId)
    const isChanged = await bring(projectId, session, branch, head).catch((error: unknown) => {
      // A work tree with changes in the way of a fast-forward stays as it is; the next publish says what is wrong.
      if (!isAppError(error, 'unavailable') || branch === 'main') throw error
      log.warn({ projectId, branch, err: error }, 'the work tree could not be brought forward')
      return false
    })
    const isInstalled =
      isChanged &&
      (await dependencies(projectId, session, branch, onProgress).catch((error: unknown) => {
        if (!isAppError(error, 'unavailable')) throw error
        onProgress?.(`${error.message}\n`)
        log.warn({ projectId, branch, err: error }, 'set-up failed; the work tree is there without it')
        return false
      }))
    return { path: workTreePath(branch), port, isInstalled }
  }

  return {
    portOf,

    async ensure(
      projectId: ProjectId,
      branch: string,
      onProgress?: OnProgress,
    ): Promise<{ path: string; port: number }> {
      const { path, port } = await ensure(projectId, branch, onProgress)
      return { path, port }
    },

    async setUp(projectId: ProjectId, branch: string, onProgress?: OnProgress): Promise<void> {
      await portOf(projectId, branch)
      const session = await sandbox.session(projectId)
      await bring(projectId, session, branch, await commitOf(folderOf(projectId), branch))
      await dependencies(projectId, session, branch, onProgress)
    },

    /** The session when the sandbox runs; a sleeping one is not woken, it catches up at its next use. */
    async sessionIfRunning(projectId: ProjectId): Promise<Inside | null> {
      const { state } = await sandbox.get({ kind: 'system' }, projectId)
      return state === 'running' ? sandbox.session(projectId) : null
    },

    async followMain(projectId: ProjectId): Promise<void> {
      const { state } = await sandbox.get({ kind: 'system' }, projectId)
      if (state !== 'running') return
      const { isInstalled } = await ensure(projectId, 'main')
      await onMainFollowed?.(projectId, { isInstalled })
    },
  }
}
export type WorkTrees = ReturnType<typeof createWorkTrees>
