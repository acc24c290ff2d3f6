import type { Sha } from '@guildhall/protocol/ids.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, notFound } from '../../platform/errors.ts'
import { git, gitText } from './git.ts'
import { branchRef, checkedPath, checkedSha, isSha } from './names.ts'

/** Reading and writing objects of one bare repository. Nothing here moves a ref except `moveRef`. */

export interface Identity {
  name: string
  email: string
}
/** Who commits when the house itself merges or writes a document. */
export const house: Identity = { name: 'Guildhall', email: 'guildhall@crew.guildhall' }

const oneLine = (text: string) => text.replace(/[\p{Cc}<>]/gu, ' ').trim()

const identities = (author: Identity): Record<string, string> => ({
  GIT_AUTHOR_NAME: oneLine(author.name) || 'Unknown',
  GIT_AUTHOR_EMAIL: oneLine(author.email) || 'unknown@crew.guildhall',
  GIT_COMMITTER_NAME: house.name,
  GIT_COMMITTER_EMAIL: house.email,
})

/** The commit a full sha or a branch name stands for; null when there is none. */
export const findCommit = (repository: string, ref: string): Promise<Sha | null> =>
  findCommitAt(repository, isSha(ref) ? ref : branchRef(ref))

/** The same for a ref by its full name, such as one under `refs/wip/`. */
export async function findCommitAt(repository: string, name: string): Promise<Sha | null> {
  const answer = await gitText(repository, ['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
    stdin: `${name}^{commit}\n`,
  })
  const [sha, type] = answer.split(' ')
  return type === 'commit' && sha && isSha(sha) ? sha : null
}

/** As `findCommit`; throws `not_found`. */
export async function commitOf(repository: string, ref: string): Promise<Sha> {
  const sha = await findCommit(repository, ref)
  if (!sha) throw notFound(isSha(ref) ? 'This commit' : `Branch ${ref}`)
  return sha
}

export const treeOfCommit = async (repository: string, sha: Sha): Promise<Sha> =>
  checkedSha(await gitText(repository, ['rev-parse', '--verify', '--quiet', `${checkedSha(sha)}^{tree}`]))

export async function isAncestor(
  repository: string,
  older: Sha,
  newer: Sha,
  env: Record<string, string> = {},
): Promise<boolean> {
  const { code } = await git(repository, ['merge-base', '--is-ancestor', checkedSha(older), checkedSha(newer)], {
    answers: [0, 1],
    env,
  })
  return code === 0
}

/** Where two histories parted; null when they share nothing. */
export async function mergeBase(repository: string, one: Sha, other: Sha): Promise<Sha | null> {
  const { code, stdout } = await git(repository, ['merge-base', checkedSha(one), checkedSha(other)], {
    answers: [0, 1],
  })
  return code === 0 ? checkedSha(stdout.toString('utf8').trim().split('\n')[0]!) : null
}

export async function parentsOf(repository: string, sha: Sha): Promise<Sha[]> {
  const line = await gitText(repository, ['rev-list', '--parents', '--max-count=1', checkedSha(sha)])
  return line.split(' ').slice(1).map(checkedSha)
}

export async function commitTree(
  repository: string,
  { tree, parents, message, author }: { tree: Sha; parents: Sha[]; message: string; author: Identity },
): Promise<Sha> {
  const args = ['commit-tree', checkedSha(tree), ...parents.flatMap((parent) => ['-p', checkedSha(parent)]), '-F', '-']
  return checkedSha(await gitText(repository, args, { stdin: `${message.trim()}\n`, env: identities(author) }))
}

/** The tree of `head` with some files replaced or added. Uses an index of its own, which is gone afterwards. */
export async function treeWith(
  repository: string,
  head: Sha,
  files: { path: string; content: string }[],
): Promise<Sha> {
  const folder = await mkdtemp(join(repository, 'index-'))
  try {
    const env = { GIT_INDEX_FILE: join(folder, 'index') }
    await git(repository, ['read-tree', checkedSha(head)], { env })
    let lines = ''
    for (const { path, content } of files) {
      const blob = checkedSha(await gitText(repository, ['hash-object', '-w', '--stdin'], { stdin: content }))
      lines += `100644 ${blob}\t${checkedPath(path)}\0`
    }
    await git(repository, ['update-index', '-z', '--replace', '--index-info'], { env, stdin: lines })
    return checkedSha(await gitText(repository, ['write-tree'], { env }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const nothing = '0'.repeat(40)

/** Moves a branch from exactly `from` (null: it must not exist). False when it stood elsewhere. */
export async function moveRef(repository: string, branch: string, from: Sha | null, to: Sha): Promise<boolean> {
  const current = await findCommit(repository, branch)
  if (current !== from) return false
  const command = `update ${branchRef(branch)} ${checkedSha(to)} ${from ?? nothing}\n`
  await git(repository, ['update-ref', '--stdin'], { stdin: command })
  return true
}

export type MergeAnswer = { kind: 'clean'; tree: Sha } | { kind: 'conflict'; paths: string[] }

/** Merges two commits without a work tree. Exit 1 is git's word for a conflict; its output is a tree and the paths. */
export async function mergeTrees(repository: string, ours: Sha, theirs: Sha): Promise<MergeAnswer> {
  const args = [
    'merge-tree',
    '--write-tree',
    '-z',
    '--name-only',
    '--no-messages',
    checkedSha(ours),
    checkedSha(theirs),
  ]
  const { code, stdout } = await git(repository, args, { answers: [0, 1] })
  const [tree, ...paths] = stdout.toString('utf8').split('\0')
  if (code === 0) return { kind: 'clean', tree: checkedSha(tree!.trim()) }
  return { kind: 'conflict', paths: [...new Set(paths.filter((path) => path !== ''))].sort() }
}

/** Objects that `want` needs beyond `have`, as one pack. `have` that this repository does not know is left out. */
export async function packOf(repository: string, want: Sha[], have: Sha[] = []): Promise<Buffer> {
  const known: Sha[] = []
  for (const sha of new Set(have)) if (await findCommit(repository, sha)) known.push(sha)
  const revisions = [...want.map(checkedSha), ...known.map((sha) => `^${sha}`)].join('\n')
  const { stdout, cut } = await git(repository, ['pack-objects', '--revs', '--thin', '--stdout', '-q'], {
    stdin: `${revisions}\n`,
    maxBytes: 1024 * 1024 * 1024,
    timeoutMs: 300_000,
  })
  if (cut) throw new AppError('payload_too_large', 'The repository is larger than 1 GB')
  return stdout
}
