import type { Sha } from '@guildhall/protocol/ids.ts'
import { AppError } from '../../platform/errors.ts'
import type { SandboxSession } from '../sandbox/service.ts'
import { checkedBranch, checkedPath, checkedSha, isSha } from './names.ts'
import { findCommit, isAncestor, packOf } from './objects.ts'

/**
 * The sandbox's side: an ordinary clone at /workspace/main and a linked work tree per branch. Everything here runs
 * inside, through the session, and every answer is a claim. Scripts name files relative to their `cwd` and get names
 * as arguments, never as text of the script.
 */

/** What git inside needs of a session. */
export type Inside = Pick<SandboxSession, 'exec'>

export const workTreePath = (branch: string) => `/workspace/${checkedBranch(branch)}`

const gitTimeoutMs = 120_000

/** Runs a script inside; throws `unavailable` with its error text when it does not end with 0. */
export async function inside(
  session: Inside,
  { script, args = [], cwd, stdin }: { script: string; args?: string[]; cwd: string; stdin?: Buffer },
): Promise<string> {
  const outcome = await session.exec({
    argv: ['sh', '-c', script, 'guildhall', ...args],
    cwd,
    env: { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C.UTF-8' },
    timeoutMs: gitTimeoutMs,
    maxBytes: 1024 * 1024,
    ...(stdin && { stdin }),
  })
  if (outcome.exitCode !== 0) {
    const said = outcome.stderr.toString('utf8').trim().slice(-2_000)
    const how = outcome.timedOut ? `took longer than ${gitTimeoutMs / 1_000} s` : `ended with ${outcome.exitCode}`
    throw new AppError('unavailable', `Git in the sandbox ${how}${said ? `: ${said}` : ''}`)
  }
  return outcome.stdout.toString('utf8')
}

const probeScript = `
if [ -e main/.git ]; then git -C main rev-parse --verify -q 'refs/heads/main^{commit}' || echo unborn; else echo none; fi
if [ ! -e "$1/.git" ]; then echo none; echo -; exit 0; fi
folder=$(git -C "$1" rev-parse --absolute-git-dir) || { echo broken; echo -; exit 0; }
if [ -e "$folder/locked" ]; then echo broken; echo -; exit 0; fi
git -C "$1" rev-parse --verify -q 'HEAD^{commit}' || echo unborn
git -C "$1" symbolic-ref -q --short HEAD || echo -
`

export interface Probe {
  /** The clone's main; null: no clone yet, or one that was never checked out. */
  main: Sha | null
  /** The work tree's commit; null: none, or half made. */
  head: Sha | null
  /** The branch that the work tree has checked out. */
  checkedOut: string | null
}

/** What stands in the sandbox, in one call. */
export async function probe(session: Inside, branch: string): Promise<Probe> {
  const text = await inside(session, { script: probeScript, args: [checkedBranch(branch)], cwd: '/workspace' })
  const [main = '', head = '', checkedOut = ''] = text.split('\n')
  return { main: isSha(main) ? main : null, head: isSha(head) ? head : null, checkedOut: checkedOut || null }
}

/** Objects come as a pack on stdin. Small ones are unpacked, so that a follow does not leave a pack file each time. */
const feedLimit = 1024 * 1024
const takePack = `set -e
if [ "$1" = large ]; then git index-pack --stdin --fix-thin >/dev/null; else git unpack-objects -q; fi
shift
`

/** Brings a commit's objects into the clone around `cwd`, then answers what `script` says there. `have` are there already. */
export async function feed(
  session: Inside,
  repository: string,
  { cwd, want, have, script, args = [] }: { cwd: string; want: Sha; have: Sha | null; script: string; args?: string[] },
): Promise<string> {
  const pack = await packOf(repository, [want], have ? [have] : [])
  const size = pack.length > feedLimit ? 'large' : 'small'
  return inside(session, { script: takePack + script, args: [size, checkedSha(want), ...args], cwd, stdin: pack })
}

const cloneScript = `set -e
rm -rf .guildhall/clone
mkdir -p .guildhall main
git init -q -b main .guildhall/clone
cd .guildhall/clone
git index-pack --stdin --fix-thin >/dev/null
cd ../..
rm -rf main/.git
mv .guildhall/clone/.git main/.git
rm -rf .guildhall/clone
git -C main reset -q --hard "$1"
`

/** The ref is written after the files, so a clone that was cut short is seen as none and made again. */
export async function makeClone(session: Inside, repository: string, main: Sha): Promise<void> {
  const pack = await packOf(repository, [main])
  await inside(session, { script: cloneScript, args: [checkedSha(main)], cwd: '/workspace', stdin: pack })
}

// A lock left by a killed git would stop main for ever; nobody but the platform writes here.
const followScript = `
rm -f .git/index.lock
git symbolic-ref HEAD refs/heads/main
git reset -q --hard "$1"
`

/** /workspace/main shows exactly this commit afterwards; files that git does not know stay. */
export async function resetMain(session: Inside, repository: string, to: Sha, have: Sha): Promise<void> {
  await feed(session, repository, { cwd: '/workspace/main', want: to, have, script: followScript })
}

// A folder that lost its .git may hold someone's work: it is moved aside, never deleted.
const addScript = `set -e
branch=$1
if [ -e "$branch/.git" ]; then git -C main worktree remove -f -f "../$branch" || rm -rf "$branch"; fi
if [ -e "$branch" ]; then mv "$branch" "$branch.set-aside.$(date +%s)"; fi
cd main
git worktree prune
git show-ref -q --verify "refs/heads/$branch" || git update-ref "refs/heads/$branch" "$2"
git worktree add -q "../$branch" "$branch"
`

/** A new work tree for a branch. A local branch of that name stays where it is: it may hold unpublished commits. */
export async function addWorkTree(
  session: Inside,
  repository: string,
  { branch, head, main }: { branch: string; head: Sha; main: Sha },
): Promise<void> {
  await feed(session, repository, { cwd: '/workspace/main', want: head, have: main, script: '' })
  await inside(session, { script: addScript, args: [checkedBranch(branch), checkedSha(head)], cwd: '/workspace' })
}

/** Moves a work tree on to a commit that the platform made on top of it. False when it has gone its own way. */
export async function fastForward(
  session: Inside,
  repository: string,
  { branch, from, to }: { branch: string; from: Sha; to: Sha },
): Promise<boolean> {
  if (!(await isKnownAncestor(repository, from, to))) return false
  const script = 'git merge -q --ff-only "$1"'
  await feed(session, repository, { cwd: workTreePath(branch), want: to, have: from, script })
  return true
}

/** Whether `from` came from this repository and lies behind `to`. A sandbox may name any commit. */
export async function isKnownAncestor(repository: string, from: Sha, to: Sha): Promise<boolean> {
  return (await findCommit(repository, from)) !== null && (await isAncestor(repository, from, to))
}

const headScript = `
if [ ! -e main/.git ]; then echo none; exit 0; fi
cd main
git rev-parse --verify -q "refs/heads/$1^{commit}" || echo none
if git cat-file -e "$2^{commit}" 2>/dev/null; then echo known; fi
`

/** Where the clone's branch stands (null: nowhere), and whether the clone knows the commit `base`. */
export async function headInside(
  session: Inside,
  branch: string,
  base: Sha,
): Promise<{ head: Sha | null; knowsBase: boolean }> {
  const args = [checkedBranch(branch), checkedSha(base)]
  const [head = '', word = ''] = (await inside(session, { script: headScript, args, cwd: '/workspace' })).split('\n')
  return { head: isSha(head) ? head : null, knowsBase: word === 'known' }
}

/** Puts a commit of the platform where whoever works in the clone can merge it; answers the ref's name. */
export async function offerCommit(session: Inside, repository: string, branch: string, sha: Sha): Promise<string> {
  const ref = `refs/platform/${checkedBranch(branch)}`
  const script = 'git update-ref "$2" "$1"'
  await feed(session, repository, { cwd: '/workspace/main', want: sha, have: null, script, args: [ref] })
  return ref
}

const bundleLimit = 256 * 1024 * 1024

/** The commits of a ref since `base` as a bundle. What comes back is untrusted; `takeBundle` judges it. */
export async function bundleOf(session: Inside, ref: string, base: Sha): Promise<Buffer> {
  const range = `${checkedSha(base)}..${ref}`
  const outcome = await session.exec({
    argv: ['git', 'bundle', 'create', '-q', '--version=2', '-', range],
    cwd: '/workspace/main',
    timeoutMs: 300_000,
    maxBytes: bundleLimit,
  })
  if (outcome.leftOutBytes > 0) {
    throw new AppError('payload_too_large', `The new commits are larger than ${bundleLimit / 1024 / 1024} MB`)
  }
  if (outcome.exitCode !== 0) {
    const said = outcome.stderr.toString('utf8').trim().slice(-2_000)
    throw new AppError('unavailable', `Git in the sandbox could not pack the new commits: ${said}`)
  }
  return outcome.stdout
}

const checkOutScript = `set -e
git init -q -b main .
git index-pack --stdin --fix-thin >/dev/null
git reset -q --hard "$1"
git clean -q -ffdx
`

/** Exactly the tree of a commit at `path` (under /workspace), with its history, in any sandbox. */
export async function checkOutAt(session: Inside, repository: string, sha: Sha, path: string): Promise<void> {
  const pack = await packOf(repository, [sha])
  const folder = /^\/workspace\/(.+)$/.exec(path)?.[1]
  if (!folder) throw new AppError('invalid', 'A checkout needs a place under /workspace')
  await inside(session, { script: 'mkdir -p -- "$1"', args: [checkedPath(folder)], cwd: '/workspace' })
  await inside(session, { script: checkOutScript, args: [checkedSha(sha)], cwd: path, stdin: pack })
}
