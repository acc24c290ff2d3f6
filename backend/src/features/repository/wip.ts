import type { Sha } from '@guildhall/protocol/ids.ts'
import { git } from './git.ts'
import { checkedBranch, checkedSha, isSha, wipRef } from './names.ts'
import { findCommitAt, house } from './objects.ts'
import { feed, type Inside, inside, workTreePath } from './work-trees.ts'

/**
 * Work in progress. What stands in a branch's work tree and was not published is kept as one commit on
 * `refs/wip/<branch>` of the bare repository, out of reach of the sandbox: a volume that is lost costs the seconds since
 * the last save. It is nobody's history: a branch never moves to it, and nothing is checked or reviewed by it.
 */

const subject = 'guildhall: work in progress'

// Git wants to know who writes, also into a reflog.
const byTheHouse = `set -e
export GIT_AUTHOR_NAME='${house.name}' GIT_AUTHOR_EMAIL='${house.email}'
export GIT_COMMITTER_NAME='${house.name}' GIT_COMMITTER_EMAIL='${house.email}'
`

// With an index of its own, so that neither whoever works there nor their `git add` notices.
const snapshotScript = `${byTheHouse}
index=$(mktemp)
trap 'rm -f "$index"' EXIT
cp "$(git rev-parse --git-path index)" "$index"
export GIT_INDEX_FILE="$index"
git add -A
tree=$(git write-tree)
head=$(git rev-parse HEAD)
if [ "$tree" = "$(git rev-parse 'HEAD^{tree}')" ]; then
  wip=$head
elif [ "$tree $head" = "$(git log -1 --format='%T %P' "$1" 2>/dev/null)" ]; then
  wip=$(git rev-parse "$1")
else
  wip=$(git commit-tree "$tree" -p "$head" -m "$4")
fi
git update-ref "$1" "$wip"
echo "$wip"
for base in "$2" "$3"; do
  if git merge-base --is-ancestor "$base" "$wip" 2>/dev/null; then echo "$base"; break; fi
done
`

/** The commit that holds the work tree as it stands, and the newest of `bases` that lies behind it. Both are claims. */
export async function snapshot(
  session: Inside,
  branch: string,
  bases: [Sha, Sha],
): Promise<{ wip: Sha | null; base: Sha | null }> {
  const args = [wipRef(branch), ...bases.map(checkedSha), subject]
  const text = await inside(session, { script: snapshotScript, args, cwd: workTreePath(branch) })
  const [wip = '', base = ''] = text.split('\n')
  return { wip: isSha(wip) ? wip : null, base: isSha(base) && bases.includes(base) ? base : null }
}

// What was committed becomes the branch again, what was not becomes changes again. Where the branch went on meanwhile,
// the work is merged into it, uncommitted.
const restoreScript = `${byTheHouse}
git update-ref "$2" "$1"
if git merge-base --is-ancestor HEAD "$1"; then
  if [ "$(git log -1 --format=%s "$1")" = "$3" ]; then git merge -q --ff-only "$1^"; else git merge -q --ff-only "$1"; fi
  git read-tree -m -u HEAD "$1"
elif ! git merge -q --squash "$1" >/dev/null; then
  git reset -q --hard
  echo conflict
  exit 0
fi
git reset -q
echo restored
`

/**
 * Puts saved work into a work tree that was just made. Work that conflicts with what the branch has become is set aside
 * in the bare repository, where no later save replaces it. Throws `unavailable`.
 */
export async function restoreWip(
  session: Inside,
  repository: string,
  branch: string,
  head: Sha,
): Promise<'nothing' | 'restored' | 'set aside'> {
  const wip = await findCommitAt(repository, wipRef(branch))
  if (!wip) return 'nothing'
  const place = { cwd: workTreePath(branch), want: wip, have: head, script: restoreScript }
  const text = await feed(session, repository, { ...place, args: [wipRef(branch), subject] })
  if (text.trim() === 'restored') return 'restored'
  await git(repository, ['update-ref', `refs/aside/${checkedBranch(branch)}.${wip.slice(0, 12)}`, wip])
  return 'set aside'
}
