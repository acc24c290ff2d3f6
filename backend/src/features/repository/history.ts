import type { Sha } from '@guildhall/protocol/ids.ts'
import { type Commit, type FileAtRef, type TreeEntry } from '@guildhall/protocol/repository.ts'
import { Role } from '@guildhall/protocol/roles.ts'
import { AppError, badCursor, notFound } from '../../platform/errors.ts'
import { git, gitText } from './git.ts'
import { checkedPath, checkedSha, isSha } from './names.ts'

/** Agents commit as `<role>@crew.guildhall`; anyone else has no role. */
export function roleOfEmail(email: string): Role | null {
  const role = Role.safeParse(/^([a-z_]+)@crew\.guildhall$/.exec(email)?.[1])
  return role.success ? role.data : null
}

const format = '--format=%H%x00%P%x00%an%x00%ae%x00%ct%x00%s%x00%b'
const fieldCount = 7
const latest = Date.UTC(9999, 0)

function toCommit(fields: string[]): Commit {
  const [sha, parents, name, email, seconds, subject, body] = fields as [string, ...string[]]
  const at = Math.min(Math.max(Number(seconds) * 1_000 || 0, 0), latest)
  return {
    sha,
    parents: parents!.split(' ').filter(isSha),
    author: { name: name!, email: email! },
    role: roleOfEmail(email!),
    at: new Date(at).toISOString(),
    subject: subject!,
    body: body!.trim(),
  }
}

/** Commits reachable from `head` and not from `without`, newest first. */
export async function commitsOf(
  repository: string,
  { head, without, skip = 0, limit }: { head: Sha; without?: Sha; skip?: number; limit: number },
): Promise<Commit[]> {
  const range = without ? [checkedSha(head), `^${checkedSha(without)}`] : [checkedSha(head)]
  const args = ['log', '-z', format, '--topo-order', `--max-count=${limit}`, `--skip=${skip}`, '--end-of-options']
  const { stdout } = await git(repository, [...args, ...range, '--'])
  const words = stdout.toString('utf8').split('\0')
  const commits: Commit[] = []
  for (let at = 0; at + fieldCount <= words.length; at += fieldCount) {
    commits.push(toCommit(words.slice(at, at + fieldCount)))
  }
  return commits
}

/** A page of the log. The cursor names the commit it began at, so that new commits do not shift it. */
export async function logPage(
  repository: string,
  { head, cursor, limit }: { head: Sha; cursor: string | undefined; limit: number },
): Promise<{ items: Commit[]; nextCursor: string | null }> {
  const place = cursor === undefined ? [null, head, '0'] : /^([0-9a-f]{40})\.(\d{1,7})$/.exec(cursor)
  if (!place) throw badCursor()
  const start = checkedSha(place[1]!)
  const skip = Number(place[2])
  const found = await commitsOf(repository, { head: start, skip, limit: limit + 1 })
  return {
    items: found.slice(0, limit),
    nextCursor: found.length > limit ? `${start}.${skip + limit}` : null,
  }
}

/** How many commits each side has that the other lacks. */
export async function aheadBehind(
  repository: string,
  main: Sha,
  head: Sha,
): Promise<{ ahead: number; behind: number }> {
  if (main === head) return { ahead: 0, behind: 0 }
  const range = `${checkedSha(main)}...${checkedSha(head)}`
  const [behind, ahead] = (await gitText(repository, ['rev-list', '--left-right', '--count', range])).split(/\s+/)
  return { ahead: Number(ahead), behind: Number(behind) }
}

/** All branches and where they stand, from the refs themselves. */
export async function refsOf(repository: string): Promise<Map<string, Sha>> {
  const text = await gitText(repository, ['for-each-ref', '--format=%(objectname) %(refname:lstrip=2)', 'refs/heads/'])
  const refs = new Map<string, Sha>()
  for (const line of text.split('\n')) {
    const [sha, name] = line.split(' ')
    if (sha && name) refs.set(name, checkedSha(sha))
  }
  return refs
}

const entryLimit = 20_000

/** Everything in a commit's tree, folders before what they hold. At most 20,000 entries. */
export async function treeEntries(repository: string, sha: Sha): Promise<TreeEntry[]> {
  const { stdout } = await git(repository, ['ls-tree', '-r', '-t', '-l', '-z', '--full-tree', checkedSha(sha)], {
    maxBytes: 16 * 1024 * 1024,
  })
  const entries: TreeEntry[] = []
  for (const line of stdout.toString('utf8').split('\0')) {
    const match = /^(\d{6}) (\w+) [0-9a-f]{40} +(-|\d+)\t([^]+)$/.exec(line)
    if (!match || entries.length >= entryLimit) continue
    const [, mode, type, size, path] = match
    const kind = mode === '120000' ? 'symlink' : type === 'blob' ? 'file' : 'directory'
    entries.push({ path: path!, kind, sizeBytes: size === '-' ? null : Number(size) })
  }
  return entries
}

const shownBytes = 2 * 1024 * 1024

/** A file as it is in a commit. Binary files and those past 2 MB come without content. Throws `not_found`. */
export async function fileAt(repository: string, sha: Sha, path: string): Promise<FileAtRef> {
  const args = ['ls-tree', '-l', '-z', '--full-tree', checkedSha(sha), '--', checkedPath(path)]
  const { stdout } = await git(repository, args)
  const match = /^\d{6} blob ([0-9a-f]{40}) +(\d+)\t/.exec(stdout.toString('utf8'))
  if (!match) throw notFound(`File ${path}`)
  const sizeBytes = Number(match[2])
  if (sizeBytes > shownBytes) return { path, sizeBytes, binary: false, content: null }
  const blob = await git(repository, ['cat-file', 'blob', checkedSha(match[1]!)], { maxBytes: shownBytes + 1 })
  if (blob.cut) throw new AppError('internal', 'A file is larger than its listing says')
  const isBinary = blob.stdout.subarray(0, 8_000).includes(0)
  return { path, sizeBytes, binary: isBinary, content: isBinary ? null : blob.stdout.toString('utf8') }
}
