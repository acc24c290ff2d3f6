import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, Sha } from '@guildhall/protocol/ids.ts'
import type { Commit } from '@guildhall/protocol/repository.ts'
import type { Db } from '../../platform/db/database.ts'
import { notFound, stale } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { takeBundle } from './bundle.ts'
import { commitsOf } from './history.ts'
import { lockRepository } from './locks.ts'
import { branchRef } from './names.ts'
import { commitOf, commitTree, findCommit, type Identity, moveRef, treeWith } from './objects.ts'
import { type BranchRow, findBranch, updateBranch } from './store.ts'
import type { Shared, WorkTrees } from './work-tree-keeper.ts'
import { bundleOf, headInside, isKnownAncestor, offerCommit } from './work-trees.ts'

/** An event is read by every open page: it names the newest commits, the log has the rest. */
const toldCommits = 100

/** Everything that moves a branch other than main. */
export function createPublisher({ db, sandbox, folderOf, inTurn, workTrees }: Shared & { workTrees: WorkTrees }) {
  /** Tells what the row has not told yet: a process may have died between the ref and the record. */
  async function record(tx: Db, actor: Actor, row: BranchRow, head: Sha): Promise<Commit[]> {
    if (row.headSha === head) return []
    const { projectId, name, role } = row
    const commits = await commitsOf(folderOf(projectId), { head, without: row.headSha, limit: toldCommits })
    await updateBranch(tx, projectId, name, { headSha: head })
    const data = { name, head, commits, role }
    await appendEvent(tx, projectTopic(projectId), { type: 'branch.pushed', actor, data })
    return commits
  }

  const moving = <T>(projectId: ProjectId, actor: Actor, work: (tx: Db) => Promise<T>): Promise<T> =>
    inTurn(`refs:${projectId}`, () =>
      db.as(actor, async (tx) => {
        await lockRepository(tx, projectId)
        return work(tx)
      }),
    )

  async function rowOf(tx: Db, projectId: ProjectId, branch: string): Promise<BranchRow> {
    const row = await findBranch(tx, projectId, branch)
    if (!row) throw notFound(`Branch ${branch}`)
    return row
  }

  async function publish(
    actor: Actor,
    projectId: ProjectId,
    branch: string,
  ): Promise<{ head: Sha; commits: Commit[] }> {
    const repository = folderOf(projectId)
    const session = await sandbox.session(projectId)
    const from = await commitOf(repository, branch)
    const { head, knowsBase } = await headInside(session, branch, from)
    const hasNews = head !== null && head !== from && !(await isKnownAncestor(repository, head, from))
    if (hasNews && !knowsBase) {
      const ref = await offerCommit(session, repository, branch, from)
      throw stale(
        `${branch} got a commit that its work tree does not have. Run \`git merge ${ref}\`, then publish again.`,
      )
    }
    const to = hasNews
      ? await takeBundle(repository, {
          bundle: await bundleOf(session, branchRef(branch), from),
          ref: branchRef(branch),
          from,
        })
      : from
    return moving(projectId, actor, async (tx) => {
      const row = await rowOf(tx, projectId, branch)
      if (to !== from && !(await moveRef(repository, branch, from, to)))
        throw stale(`${branch} moved meanwhile; publish again`)
      return { head: to, commits: await record(tx, actor, row, to) }
    })
  }

  return {
    publish,

    async writeCommit(
      projectId: ProjectId,
      branch: string,
      { files, message, author }: { files: { path: string; content: string }[]; message: string; author: Identity },
    ): Promise<Sha> {
      const repository = folderOf(projectId)
      const system: Actor = { kind: 'system' }
      // Commits that are still inside come out first, or the branch would have two heads.
      const isRunning = (await workTrees.sessionIfRunning(projectId)) !== null
      if (isRunning && (await findCommit(repository, branch))) await publish(system, projectId, branch)
      const head = await moving(projectId, system, async (tx) => {
        const row = await rowOf(tx, projectId, branch)
        const from = await commitOf(repository, branch)
        await record(tx, system, row, from)
        const tree = await treeWith(repository, from, files)
        const to = await commitTree(repository, { tree, parents: [from], message, author })
        if (!(await moveRef(repository, branch, from, to))) throw stale(`${branch} moved meanwhile`)
        await record(tx, system, { ...row, headSha: from }, to)
        return to
      })
      if (isRunning) await workTrees.ensure(projectId, branch)
      return head
    },
  }
}
