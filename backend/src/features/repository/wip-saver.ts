import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isAppError } from '../../platform/errors.ts'
import { takeBundle } from './bundle.ts'
import { git } from './git.ts'
import { checkedBranch, wipRef } from './names.ts'
import { commitOf, findCommitAt } from './objects.ts'
import { findBranch } from './store.ts'
import { snapshot } from './wip.ts'
import type { Shared, WorkTrees } from './work-tree-keeper.ts'
import { bundleOf, isKnownAncestor } from './work-trees.ts'

/** Every save leaves a pack, and git looks into each one: many small ones become few, nothing in them is dropped. */
const manyPacks = 30
async function joinPacks(repository: string): Promise<void> {
  const packs = (await readdir(join(repository, 'objects/pack'))).filter((name) => name.endsWith('.pack'))
  if (packs.length >= manyPacks) await git(repository, ['repack', '--geometric=2', '-d', '-q'], { timeoutMs: 300_000 })
}

/** Brings what is not published out of the sandbox, one save a branch at a time. */
export function createWipSaver({ db, folderOf, inTurn, log, workTrees }: Shared & { workTrees: WorkTrees }) {
  async function save(projectId: ProjectId, branch: string): Promise<void> {
    const session = await workTrees.sessionIfRunning(projectId)
    const row = session && (await db.system((tx) => findBranch(tx, projectId, branch)))
    if (!row) return
    const repository = folderOf(projectId)
    const ref = wipRef(branch)
    const head = await commitOf(repository, branch)
    const { wip, base } = await snapshot(session, branch, [head, row.baseSha ?? head])
    const saved = await findCommitAt(repository, ref)
    if (!wip || !base) return
    // Published since, or nothing was changed: then there is nothing to keep.
    if (await isKnownAncestor(repository, wip, head)) {
      if (saved) await git(repository, ['update-ref', '-d', ref])
      return
    }
    if (wip === saved) return
    const taken = await takeBundle(repository, { bundle: await bundleOf(session, ref, base), ref, from: base })
    await git(repository, ['update-ref', ref, taken])
    await inTurn(`packs:${projectId}`, () => joinPacks(repository))
  }

  /** Never throws for what a sandbox does: what cannot be saved now is saved the next time. */
  return (projectId: ProjectId, branch: string): Promise<void> =>
    inTurn(`wip:${projectId}:${checkedBranch(branch)}`, () =>
      save(projectId, branch).catch((error: unknown) => {
        if (!isAppError(error)) throw error
        log.warn({ projectId, branch, err: error }, 'work in progress could not be saved')
      }),
    )
}
