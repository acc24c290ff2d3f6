import { constants, existsSync } from 'node:fs'
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from './wire.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
const hasProc = existsSync('/proc/self/fd')

/** A place inside the root: the open folder that holds it, and its last name (empty for the root itself). */
export type Place = { folder: FileHandle; name: string; path: string; at(name: string): string }

/**
 * Splits an absolute path under `root` into names. No `..`, no empty name, no NUL: what is left can only point inside.
 */
export function namesOf(root: string, path: string): string[] {
  if (path !== root && !path.startsWith(`${root}/`)) throw new Failure('forbidden', `${path} is outside ${root}`)
  const names = path
    .slice(root.length)
    .split('/')
    .filter((name) => name !== '' && name !== '.')
  for (const name of names) {
    if (name === '..') throw new Failure('forbidden', `${path} leaves its folder`)
    if (Buffer.byteLength(name) > 255) throw new Failure('invalid', 'A name in the path is longer than 255 bytes')
  }
  return names
}

/**
 * Walks to the folder of `path` one name at a time, each opened from the one before and never through a symbolic
 * link, so a link swapped in between check and use leads nowhere. Linux addresses "this open folder" by
 * /proc/self/fd; elsewhere (the unisolated driver on macOS) each step is checked before it is taken.
 * The caller closes `folder`.
 */
export async function openPlace(root: string, path: string, options: { make?: boolean } = {}): Promise<Place> {
  const names = namesOf(root, path)
  const name = names.pop() ?? ''
  let folder = await open(root, O_RDONLY | O_DIRECTORY)
  let shown = root
  try {
    for (const step of names) {
      const target = within(folder, shown, step)
      shown = join(shown, step)
      if (options.make) await makeFolder(target, shown)
      const next = await openFolder(target, shown)
      await folder.close()
      folder = next
    }
  } catch (error) {
    await folder.close()
    throw error
  }
  const here = folder
  return { folder: here, name, path: join(shown, name), at: (child) => within(here, shown, child) }
}

const within = (folder: FileHandle, shown: string, name: string) =>
  hasProc ? `/proc/self/fd/${folder.fd}/${name}` : join(shown, name)

async function makeFolder(target: string, shown: string): Promise<void> {
  try {
    await mkdir(target)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw translated(error, shown)
  }
}

export async function openFolder(target: string, shown: string): Promise<FileHandle> {
  try {
    return await open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    // Linux answers ENOTDIR for a link when both flags are given, so the reason is looked up.
    if (['ELOOP', 'ENOTDIR'].includes(codeOf(error))) {
      const found = await lstat(target).catch(() => null)
      if (found?.isSymbolicLink()) throw linked(shown)
    }
    throw translated(error, shown)
  }
}

export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''
export const linked = (path: string) =>
  new Failure('forbidden', `${path} is a symbolic link; links are not followed here`)

/** A file system's refusal as a failure that the caller can act on; what we do not know flies on. */
export function translated(error: unknown, path: string): unknown {
  switch (codeOf(error)) {
    case 'ENOENT':
      return new Failure('not_found', `${path} does not exist`)
    case 'ENOTDIR':
      return new Failure('invalid', `${path}: a part of the path is not a folder`)
    case 'EISDIR':
      return new Failure('invalid', `${path} is a folder`)
    case 'ELOOP':
      return linked(path)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Failure('forbidden', `${path}: permission denied`)
    case 'ENAMETOOLONG':
      return new Failure('invalid', 'The path is too long')
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure('disk_full', 'The disk of this sandbox is full')
    case 'EFBIG':
      return new Failure('payload_too_large', `${path} would be over the file size limit`)
    default:
      return error
  }
}
