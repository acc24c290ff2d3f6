import type { Sha } from '@guildhall/protocol/ids.ts'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../platform/errors.ts'
import { git, GitError } from './git.ts'
import { isSha } from './names.ts'
import { findCommit, isAncestor } from './objects.ts'

/**
 * The way in. A bundle is bytes from a sandbox: whatever it says is a claim. It is taken apart here, its objects are
 * checked in a quarantine folder that the repository does not see, and only then do they become part of it.
 */

export interface BundleHeader {
  prerequisites: Sha[]
  head: Sha
  pack: Buffer
}

const headerLimit = 64 * 1024
const refused = (why: string, cause?: unknown) => new AppError('invalid', `The bundle was refused: ${why}`, { cause })

/** Reads a version 2 bundle that carries exactly `ref`. Throws `invalid`. */
export function parseBundle(bundle: Buffer, ref: string): BundleHeader {
  const end = bundle.subarray(0, headerLimit).indexOf('\n\n')
  if (end < 0) throw refused('it has no header')
  const [signature, ...lines] = bundle.subarray(0, end).toString('latin1').split('\n')
  if (signature !== '# v2 git bundle') throw refused('it is not of version 2')
  const prerequisites: Sha[] = []
  const heads: { sha: string; ref: string }[] = []
  for (const line of lines) {
    const prerequisite = /^-([0-9a-f]{40})(?: .*)?$/.exec(line)
    const head = /^([0-9a-f]{40}) (\S+)$/.exec(line)
    if (prerequisite && heads.length === 0) prerequisites.push(prerequisite[1]!)
    else if (head) heads.push({ sha: head[1]!, ref: head[2]! })
    else throw refused('its header has a line that is neither a commit nor a ref')
  }
  const [head, ...others] = heads
  if (!head || others.length > 0) throw refused('it must carry exactly one ref')
  if (head.ref !== ref) throw refused(`it carries another ref than ${ref}`)
  const pack = bundle.subarray(end + 2)
  if (pack.subarray(0, 4).toString('latin1') !== 'PACK') throw refused('it has no pack')
  return { prerequisites, head: head.sha, pack }
}

/**
 * Brings a bundle's objects into the repository; answers the commit that `ref` may now move to. No ref moves here.
 * Throws `invalid` when anything in it is not as git wants it, when it does not build on `from`, or when it points to
 * objects that are nowhere.
 */
export async function takeBundle(
  repository: string,
  { bundle, ref, from }: { bundle: Buffer; ref: string; from: Sha },
): Promise<Sha> {
  const { prerequisites, head, pack } = parseBundle(bundle, ref)
  for (const sha of prerequisites) {
    if (!(await findCommit(repository, sha))) throw refused('it builds on a commit that the project does not have')
  }
  const quarantine = await mkdtemp(join(repository, 'quarantine-'))
  const env = {
    GIT_OBJECT_DIRECTORY: quarantine,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: join(repository, 'objects'),
    GIT_QUARANTINE_PATH: quarantine,
  }
  try {
    await mkdir(join(quarantine, 'pack'))
    await orRefuse('an object in it is broken or forbidden', () =>
      // --strict turns every warning of fsck into an error: .git in a tree, odd modes, .gitmodules that run things.
      git(repository, ['index-pack', '--strict', '--stdin', '--fix-thin', `--max-input-size=${pack.length}`], {
        stdin: pack,
        env,
        timeoutMs: 300_000,
      }),
    )
    await orRefuse('its head is not a commit', () => git(repository, ['cat-file', 'commit', head], { env }))
    await orRefuse('objects are missing', () =>
      git(repository, ['rev-list', '--objects', '--quiet', head, '--not', '--all'], { env, timeoutMs: 300_000 }),
    )
    if (!(await isAncestor(repository, from, head, env))) {
      throw refused(`${ref} would lose commits: the new head does not descend from ${from.slice(0, 8)}`)
    }
    await migrate(quarantine, join(repository, 'objects'))
    if (!isSha(head)) throw refused('its head is not a commit id')
    return head
  } finally {
    await rm(quarantine, { recursive: true, force: true })
  }
}

async function orRefuse<T>(why: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw refused(`${why}${reasonIn(error.stderr)}`, error)
  }
}

/** What git found wrong, object by object; its last word alone ("fsck error in packed object") helps nobody. */
function reasonIn(stderr: string): string {
  const lines = stderr.trim().split('\n').filter(Boolean)
  const found = lines.filter((line) => line.startsWith('error: '))
  const said = (found.length > 0 ? found.slice(0, 3) : lines.slice(-1)).map((line) => line.slice(0, 300))
  return said.length > 0 ? ` (${said.join('; ')})` : ''
}

/** The index goes last: git looks for `.idx` files, so a pack is seen whole or not at all. */
async function migrate(quarantine: string, objects: string): Promise<void> {
  const names = (await readdir(join(quarantine, 'pack'))).filter((name) => /^pack-[0-9a-f]{40}\.\w+$/.test(name))
  await mkdir(join(objects, 'pack'), { recursive: true })
  for (const name of names.sort((a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')))) {
    await rename(join(quarantine, 'pack', name), join(objects, 'pack', name))
  }
}
