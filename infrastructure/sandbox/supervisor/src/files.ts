import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, rename, rm, unlink, type FileHandle } from 'node:fs/promises'
import { codeOf, linked, openFolder, openPlace, translated, type Place } from './folders.ts'
import { Failure, type Entry } from './wire.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const maxFileBytes = 50 * 1024 * 1024
const maxEntries = 20_000

/** Files under one root. Everything happens as the sandbox's own user and never through a symbolic link. */
export class Files {
  readonly #root: string
  /** One writer at a time for a path, so that "has this hash" still holds when the file is replaced. */
  readonly #writers = new Map<string, Promise<unknown>>()

  constructor(root: string) {
    this.#root = root
  }

  /** Null when there is no such file. Throws for folders, links, devices and what is over 50 MB. */
  async read(path: string): Promise<{ bytes: Buffer; hash: string } | null> {
    try {
      return await this.#inFolder(path, {}, async (place) => {
        if (place.name === '') throw new Failure('invalid', `${path} is a folder`)
        const found = await readPlace(place)
        return found && { bytes: found.bytes, hash: found.hash }
      })
    } catch (error) {
      if (error instanceof Failure && error.code === 'not_found') return null
      throw error
    }
  }

  /**
   * Replaces or makes a file in one step (write beside it, sync, rename), with the folders it needs; the mode of the
   * old file stays. `expectedHash`: undefined = whatever is there, null = nothing may be there.
   */
  async write(path: string, bytes: Buffer, expectedHash: string | null | undefined): Promise<{ hash: string }> {
    if (bytes.length > maxFileBytes) throw new Failure('payload_too_large', `${path} would be over 50 MB`)
    return this.#alone(path, () =>
      this.#inFolder(path, { make: true }, async (place) => {
        if (place.name === '') throw new Failure('invalid', `${path} is a folder`)
        const old = await readPlace(place, { tooLargeIsFine: true })
        if (expectedHash === null && old) throw new Failure('stale', `${path} exists already`)
        if (typeof expectedHash === 'string' && old?.hash !== expectedHash) {
          throw new Failure('stale', old ? `${path} has changed since it was read` : `${path} is gone`)
        }
        const temporary = place.at(`.guildhall-${randomBytes(8).toString('hex')}.tmp`)
        try {
          const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, old?.mode ?? 0o644)
          try {
            await handle.writeFile(bytes)
            if (old) await handle.chmod(old.mode)
            await handle.datasync()
          } finally {
            await handle.close()
          }
          await rename(temporary, place.at(place.name))
        } catch (error) {
          await rm(temporary, { force: true })
          throw translated(error, path)
        }
        return { hash: sha256(bytes) }
      }),
    )
  }

  /** What is under a folder, `depth` levels deep, without following links. */
  async list(path: string, depth: number): Promise<{ entries: Entry[]; isComplete: boolean }> {
    const entries: Entry[] = []
    const walk = async (folder: FileHandle, at: (name: string) => string, shown: string, left: number) => {
      const names = await readdir(at('.'))
      for (const name of names.sort()) {
        if (entries.length >= maxEntries) return
        const found = await lstat(at(name)).catch(goneIsNull)
        if (!found) continue
        const kind = found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'symlink' : 'file'
        if (kind === 'file' && !found.isFile()) continue
        const child = `${shown}/${name}`
        entries.push({ path: child, kind, sizeBytes: kind === 'file' ? found.size : 0 })
        if (kind === 'directory' && left > 1) await descend(at(name), child, left - 1)
      }
    }
    const descend = async (target: string, shown: string, left: number) => {
      const folder = await openFolder(target, shown).catch((error: unknown) => {
        // Removed, replaced or closed to us while we walked: it is simply not listed further.
        if (error instanceof Failure) return null
        throw error
      })
      if (!folder) return
      try {
        await walk(folder, (name) => inOpenFolder(folder, target, name), shown, left)
      } finally {
        await folder.close()
      }
    }
    await this.#inFolder(path, {}, async (place) => {
      if (place.name === '') return walk(place.folder, place.at, place.path.replace(/\/$/, ''), depth)
      const target = place.at(place.name)
      const folder = await openFolder(target, path)
      try {
        await walk(folder, (name) => inOpenFolder(folder, target, name), place.path, depth)
      } finally {
        await folder.close()
      }
    })
    return { entries, isComplete: entries.length < maxEntries }
  }

  /** Removes a file, a link (never what it points to) or a whole folder. Gone already is fine. */
  async remove(path: string): Promise<void> {
    await this.#alone(path, () =>
      this.#inFolder(path, {}, async (place) => {
        if (place.name === '') throw new Failure('forbidden', 'The root itself stays')
        const target = place.at(place.name)
        const found = await lstat(target).catch(goneIsNull)
        if (!found) return
        try {
          // rm walks by lstat and unlinks links as links; inside the folder only the sandbox's own user can race it.
          if (found.isDirectory()) await rm(target, { recursive: true, force: true, maxRetries: 3 })
          else await unlink(target)
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw translated(error, path)
        }
      }),
    ).catch((error: unknown) => {
      if (!(error instanceof Failure) || error.code !== 'not_found') throw error
    })
  }

  async #inFolder<T>(path: string, options: { make?: boolean }, work: (place: Place) => Promise<T>): Promise<T> {
    const place = await openPlace(this.#root, path, options)
    try {
      return await work(place)
    } finally {
      await place.folder.close()
    }
  }

  async #alone<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.#writers.get(path) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.catch(() => undefined)
    this.#writers.set(path, settled)
    try {
      return await mine
    } finally {
      if (this.#writers.get(path) === settled) this.#writers.delete(path)
    }
  }
}

type Found = { bytes: Buffer; hash: string; mode: number }

async function readPlace(place: Place, options: { tooLargeIsFine?: boolean } = {}): Promise<Found | null> {
  let handle: FileHandle
  try {
    // O_NONBLOCK: a pipe put in the file's place must not hold us.
    handle = await open(place.at(place.name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    if (codeOf(error) === 'ELOOP') throw linked(place.path)
    throw translated(error, place.path)
  }
  try {
    const found = await handle.stat()
    if (found.isDirectory()) throw new Failure('invalid', `${place.path} is a folder`)
    if (!found.isFile()) throw new Failure('invalid', `${place.path} is not an ordinary file`)
    if (found.size > maxFileBytes) {
      if (!options.tooLargeIsFine) throw new Failure('payload_too_large', `${place.path} is over 50 MB`)
      return { bytes: Buffer.alloc(0), hash: '', mode: found.mode & 0o777 }
    }
    const bytes = await readUpTo(handle, maxFileBytes)
    if (!bytes) throw new Failure('payload_too_large', `${place.path} is over 50 MB`)
    return { bytes, hash: sha256(bytes), mode: found.mode & 0o777 }
  } finally {
    await handle.close()
  }
}

/** The file may grow while it is read; null when it passes the limit. */
async function readUpTo(handle: FileHandle, limit: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let total = 0
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(256 * 1024), 0, 256 * 1024, null)
    if (bytesRead === 0) return Buffer.concat(chunks, total)
    total += bytesRead
    if (total > limit) return null
    chunks.push(buffer.subarray(0, bytesRead))
  }
}

const inOpenFolder = (folder: FileHandle, target: string, name: string) =>
  target.startsWith('/proc/') ? `/proc/self/fd/${folder.fd}/${name}` : `${target}/${name}`
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const goneIsNull = (error: unknown) => {
  if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error))) return null
  throw error
}
