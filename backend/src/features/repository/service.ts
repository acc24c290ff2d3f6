import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Branch, Commit, Diff, FileAtRef, TreeEntry } from '@guildhall/protocol/repository.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database, Db } from '../../platform/db/database.ts'
import { AppError, conflict, forbidden, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Log } from '../../platform/log.ts'
import type { Authorize } from '../projects/service.ts'
import { diffOf, patchText, pathsBetween } from './diff.ts'
import { aheadBehind, fileAt, logPage, refsOf, treeEntries } from './history.ts'
import { createQueues, lockRepository } from './locks.ts'
import { createMainMover } from './main-mover.ts'
import { checkedBranch, checkedSha } from './names.ts'
import * as objects from './objects.ts'
import { createPublisher } from './publisher.ts'
import type { OnProgress } from './set-up.ts'
import { insertBranch, listBranches, toBranch } from './store.ts'
import { makeRepository, removeUnfinished } from './template.ts'
import { createWipSaver } from './wip-saver.ts'
import { createWorkTrees, type Sandboxes } from './work-tree-keeper.ts'
import { checkOutAt, type Inside } from './work-trees.ts'

const system: Actor = { kind: 'system' }

export interface RepositoryOptions {
  db: Database
  authorize: Authorize
  sandbox: Sandboxes
  /** The project's template: its slug names the folder, its command brings dependencies. Throws `not_found`. */
  templateOf: (projectId: ProjectId) => Promise<{ slug: string; setupCommand: string | null }>
  repositoriesDir: string
  templatesDir: string
  /** Told after /workspace/main followed main; `isInstalled`: its dependencies were brought in anew. */
  onMainFollowed?: (projectId: ProjectId, what: { isInstalled: boolean }) => Promise<void>
  log: Log
}

/**
 * The repository that counts: one bare repository a project, out of reach of the code in it. Only this service moves
 * its refs, one at a time, and the row of a branch says how far the log has told its story.
 */
export function createRepositoryService(options: RepositoryOptions) {
  const { db, authorize, sandbox, templateOf, repositoriesDir, templatesDir, log } = options
  const folderOf = (projectId: ProjectId) => join(repositoriesDir, `${projectId}.git`)
  const inTurn = createQueues()
  const shared = { db, sandbox, templateOf, folderOf, inTurn, log, onMainFollowed: options.onMainFollowed }
  const workTrees = createWorkTrees(shared)
  const publisher = createPublisher({ ...shared, workTrees })
  const saveWip = createWipSaver({ ...shared, workTrees })
  const mainMover = createMainMover({ ...shared, followMain: workTrees.followMain })

  /** The two ends of "what `to` changes since it left `from`". */
  async function ends(projectId: ProjectId, from: string, to: string): Promise<[Sha, Sha]> {
    const repository = folderOf(projectId)
    const [one, other] = [await objects.commitOf(repository, from), await objects.commitOf(repository, to)]
    return [(await objects.mergeBase(repository, one, other)) ?? one, other]
  }

  return {
    /** Makes the bare repository with the template's first commit, and main's row. May be called again at any time. */
    async provision(projectId: ProjectId): Promise<void> {
      const { slug } = await templateOf(projectId)
      const repository = folderOf(projectId)
      await makeRepository(repository, join(templatesDir, slug), slug)
      const headSha = await objects.commitOf(repository, 'main')
      await db.system(async (tx) => {
        await lockRepository(tx, projectId)
        const row = await insertBranch(tx, projectId, {
          name: 'main',
          baseSha: null,
          headSha,
          role: null,
          taskId: null,
        })
        if (!row) return
        const branch = toBranch(row, { ahead: 0, behind: 0 })
        await appendEvent(tx, projectTopic(projectId), { type: 'branch.created', actor: system, data: { branch } })
      })
    },

    /**
     * The work tree of a branch, ready to be worked in, and the port its server may use. Wakes the sandbox; clones,
     * adds the work tree, moves it on and brings dependencies where that is still to be done. A set-up command that
     * fails does not fail this: whoever works there can mend it. Throws `not_found`, `no_engine`, `unavailable`.
     */
    async ensureWorkTree(
      projectId: ProjectId,
      branch: string,
      onProgress?: OnProgress,
    ): Promise<{ path: string; port: number }> {
      return workTrees.ensure(projectId, checkedBranch(branch), onProgress)
    },

    /** Brings the dependencies of a branch's work tree in. Throws `unavailable` with the command's true output. */
    async setUp(projectId: ProjectId, branch: string, onProgress?: OnProgress): Promise<void> {
      return workTrees.setUp(projectId, checkedBranch(branch), onProgress)
    },

    /**
     * A branch from main, recorded in the caller's transaction. A name that is taken gets `-2`, `-3` …
     * Holds the repository's lock until that transaction ends: end it soon, and call nothing here that moves refs.
     */
    async createBranch(
      tx: Db,
      actor: Actor,
      projectId: ProjectId,
      { wanted, role, taskId }: { wanted: string; role: Role | null; taskId: TaskId | null },
    ): Promise<{ name: string; base: Sha }> {
      const repository = folderOf(projectId)
      checkedBranch(wanted)
      await lockRepository(tx, projectId)
      const base = await objects.commitOf(repository, 'main')
      const name = freeName(
        wanted,
        (await listBranches(tx, projectId)).map((row) => row.name),
      )
      // A ref without a row was left by a transaction that was undone; nothing knows it, so it is taken over.
      const left = await objects.findCommit(repository, name)
      if (!(await objects.moveRef(repository, name, left, base))) throw conflict(`Branch ${name} is being made`)
      const row = await insertBranch(tx, projectId, { name, baseSha: base, headSha: base, role, taskId })
      if (!row) throw conflict(`Branch ${name} is being made`)
      const branch = toBranch(row, { ahead: 0, behind: 0 })
      await appendEvent(tx, projectTopic(projectId), { type: 'branch.created', actor, data: { branch } })
      return { name, base }
    },

    /**
     * Brings a branch's new commits out of the sandbox, checked. Nothing new answers no commits. Throws `forbidden` for
     * main, `invalid` for a bundle that is not as it must be, `stale` when the branch moved meanwhile.
     */
    async publish(actor: Actor, projectId: ProjectId, branch: string): Promise<{ head: Sha; commits: Commit[] }> {
      await authorize(actor, 'project.work', { projectId })
      if (branch === 'main') throw forbidden('main only moves by a merge')
      return publisher.publish(actor, projectId, checkedBranch(branch))
    },

    /**
     * Keeps what stands unpublished in a branch's work tree out of the sandbox's reach; should the volume be lost,
     * `ensureWorkTree` puts it back. Does nothing for a sandbox that sleeps. What the sandbox refuses is logged only.
     */
    saveWip,

    head: (projectId: ProjectId, ref: string): Promise<Sha> => objects.commitOf(folderOf(projectId), ref),

    async treeOf(projectId: ProjectId, sha: Sha): Promise<Sha> {
      const repository = folderOf(projectId)
      return objects.treeOfCommit(repository, await objects.commitOf(repository, checkedSha(sha)))
    },

    /** A commit of the platform's own on a branch, such as a task document; brought into its work tree too. */
    async writeCommit(
      projectId: ProjectId,
      branch: string,
      commit: { files: { path: string; content: string }[]; message: string; author: objects.Identity },
    ): Promise<Sha> {
      if (branch === 'main') throw forbidden('main only moves by a merge')
      return publisher.writeCommit(projectId, checkedBranch(branch), commit)
    },

    mergeTree: (projectId: ProjectId, ours: Sha, theirs: Sha): Promise<objects.MergeAnswer> =>
      objects.mergeTrees(folderOf(projectId), ours, theirs),

    /** Writes a commit for a merged tree; nothing points to it yet. */
    commitMerge: (
      projectId: ProjectId,
      merge: { tree: Sha; parents: Sha[]; message: string; author: objects.Identity },
    ): Promise<Sha> => objects.commitTree(folderOf(projectId), merge),

    /**
     * Moves main from exactly `from` to `to`, records it once, and lets the sandbox follow. `to` must descend from
     * `from`. 'moved' also when main already holds `to`; 'stale' when it stands elsewhere.
     */
    async casMain(
      actor: Actor,
      projectId: ProjectId,
      move: { from: Sha; to: Sha; branch: string | null; taskId: TaskId | null },
    ): Promise<'moved' | 'stale'> {
      await authorize(actor, 'project.work', { projectId })
      return mainMover.move(actor, projectId, move)
    },

    /** /workspace/main shows main, with its dependencies, if the sandbox runs. */
    followMain: workTrees.followMain,

    /** Exactly the tree of a commit, with its history, at `path` in any sandbox. */
    async checkOut(projectId: ProjectId, session: Inside, sha: Sha, path: string): Promise<void> {
      const repository = folderOf(projectId)
      await checkOutAt(session, repository, await objects.commitOf(repository, checkedSha(sha)), path)
    },

    /** Where two commits or branches parted. Throws `not_found` when they share no history. */
    async mergeBase(projectId: ProjectId, one: string, other: string): Promise<Sha> {
      const repository = folderOf(projectId)
      const ends = [await objects.commitOf(repository, one), await objects.commitOf(repository, other)] as const
      const base = await objects.mergeBase(repository, ...ends)
      if (!base) throw notFound('A common history')
      return base
    },

    /** Paths that `to` changes since it left `from`; a rename counts as both of its names. */
    async changedPaths(projectId: ProjectId, from: Sha, to: Sha): Promise<string[]> {
      return pathsBetween(folderOf(projectId), ...(await ends(projectId, checkedSha(from), checkedSha(to))))
    },

    /** The same change as patch text, cut at `maxBytes` with a remark. */
    async diffText(projectId: ProjectId, from: Sha, to: Sha, maxBytes: number): Promise<string> {
      return patchText(folderOf(projectId), ...(await ends(projectId, checkedSha(from), checkedSha(to))), maxBytes)
    },

    /** What `to` changes since it left `from`; both are branches or full shas. Throws `not_found`. */
    async diff(actor: Actor, projectId: ProjectId, { from, to }: { from: string; to: string }): Promise<Diff> {
      await authorize(actor, 'project.read', { projectId })
      return diffOf(folderOf(projectId), ...(await ends(projectId, from, to)))
    },

    async log(
      actor: Actor,
      projectId: ProjectId,
      { ref, cursor, limit }: { ref: string; cursor?: string | undefined; limit: number },
    ): Promise<{ items: Commit[]; nextCursor: string | null }> {
      await authorize(actor, 'project.read', { projectId })
      const repository = folderOf(projectId)
      return logPage(repository, { head: await objects.commitOf(repository, ref), cursor, limit })
    },

    /** Every branch with how far it is from main. */
    async branches(actor: Actor, projectId: ProjectId): Promise<Branch[]> {
      await authorize(actor, 'project.read', { projectId })
      const repository = folderOf(projectId)
      const rows = await db.as(actor, (tx) => listBranches(tx, projectId))
      const refs = await refsOf(repository)
      const main = refs.get('main')
      if (!main) throw notFound('The repository')
      const branches: Branch[] = []
      for (const row of rows) {
        const head = refs.get(row.name)
        if (!head) continue
        const base = row.status === 'merged' && row.mergedSha ? row.mergedSha : main
        branches.push(toBranch({ ...row, headSha: head }, await aheadBehind(repository, base, head)))
      }
      return branches
    },

    /** Everything in the tree of a branch or commit. */
    async tree(actor: Actor, projectId: ProjectId, ref: string): Promise<TreeEntry[]> {
      await authorize(actor, 'project.read', { projectId })
      const repository = folderOf(projectId)
      return treeEntries(repository, await objects.commitOf(repository, ref))
    },

    async file(actor: Actor, projectId: ProjectId, { ref, path }: { ref: string; path: string }): Promise<FileAtRef> {
      await authorize(actor, 'project.read', { projectId })
      const repository = folderOf(projectId)
      return fileAt(repository, await objects.commitOf(repository, ref), path)
    },

    /** The port that a branch's server may use in the sandbox. Throws `not_found`. */
    async portOf(projectId: ProjectId, branch: string): Promise<number> {
      return workTrees.portOf(projectId, checkedBranch(branch))
    },

    async removeProject(projectId: ProjectId): Promise<void> {
      await removeUnfinished(folderOf(projectId))
      await rm(folderOf(projectId), { recursive: true, force: true })
    },
  }
}
export type RepositoryService = ReturnType<typeof createRepositoryService>

function freeName(wanted: string, taken: string[]): string {
  const clashes = (name: string) =>
    taken.some((other) => other === name || other.startsWith(`${name}/`) || name.startsWith(`${other}/`))
  for (let number = 1; number < 1_000; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`
    if (!clashes(name)) return name
  }
  throw new AppError('conflict', `No free branch name like ${wanted}`)
}
