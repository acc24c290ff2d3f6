import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type CacheMeta = {
  key: string
  contentType: string
  etag: string
  fetchedAt: number
  upstreamEtag: string | null
}
export type Cached = CacheMeta & { path: string; sizeBytes: number }

/**
 * Answers of registries on disk, shared by every process of this machine: an entry is `<hash>.body` and `<hash>.json`,
 * each put in place by a rename, body first. When the folder grows over its bound, what was used longest ago goes.
 */
export function createCache({ folder, maxBytes }: { folder: string; maxBytes: number }) {
  const hashOf = (key: string) => createHash('sha256').update(key).digest('hex')
  const at = (hash: string, kind: 'body' | 'json') => join(folder, hash.slice(0, 2), `${hash}.${kind}`)
  // Not known before the first write asks the disk; then only counted up, until a sweep counts again.
  let totalBytes: number | null = null
  let sweeping: Promise<void> | null = null

  async function entries() {
    const found: { hash: string; sizeBytes: number; usedAt: number }[] = []
    for (const shelf of await readdir(folder).catch(ifMissing([]))) {
      if (shelf.length !== 2) continue
      for (const name of await readdir(join(folder, shelf)).catch(ifMissing([]))) {
        if (!name.endsWith('.body')) continue
        const facts = await stat(join(folder, shelf, name)).catch(ifMissing(null))
        if (facts) found.push({ hash: name.slice(0, -5), sizeBytes: facts.size, usedAt: facts.mtimeMs })
      }
    }
    return found
  }

  /** What a process that died was about to put in. */
  async function dropOldDrafts() {
    for (const name of await readdir(join(folder, 'drafts')).catch(ifMissing([]))) {
      const facts = await stat(join(folder, 'drafts', name)).catch(ifMissing(null))
      if (facts && facts.mtimeMs < Date.now() - 3_600_000) await rm(join(folder, 'drafts', name), { force: true })
    }
  }

  async function sweep() {
    await dropOldDrafts()
    const all = (await entries()).sort((a, b) => a.usedAt - b.usedAt)
    let total = all.reduce((sum, entry) => sum + entry.sizeBytes, 0)
    // Down to nine tenths, so that a full cache is not swept at every write.
    const goal = total > maxBytes ? maxBytes * 0.9 : maxBytes
    for (const { hash, sizeBytes } of all) {
      if (total <= goal) break
      await rm(at(hash, 'json'), { force: true })
      await rm(at(hash, 'body'), { force: true })
      total -= sizeBytes
    }
    totalBytes = total
  }

  async function added(sizeBytes: number) {
    if (totalBytes !== null) totalBytes += sizeBytes
    if (totalBytes !== null && totalBytes <= maxBytes) return
    sweeping ??= sweep().finally(() => {
      sweeping = null
    })
    await sweeping
  }

  return {
    /** A path in the cache's own file system to write to before `take`. */
    async draft(): Promise<string> {
      await mkdir(join(folder, 'drafts'), { recursive: true })
      return join(folder, 'drafts', randomUUID())
    },

    async get(key: string): Promise<Cached | null> {
      const hash = hashOf(key)
      const text = await readFile(at(hash, 'json'), 'utf8').catch(ifMissing(null))
      const facts = await stat(at(hash, 'body')).catch(ifMissing(null))
      if (text === null || facts === null) return null
      await utimes(at(hash, 'body'), new Date(), new Date()).catch(ifMissing(undefined))
      return { ...(JSON.parse(text) as CacheMeta), path: at(hash, 'body'), sizeBytes: facts.size }
    },

    /** Moves a finished draft into the cache. */
    async take(draft: string, meta: CacheMeta): Promise<Cached> {
      const hash = hashOf(meta.key)
      await mkdir(join(folder, hash.slice(0, 2)), { recursive: true })
      const { size } = await stat(draft)
      await rename(draft, at(hash, 'body'))
      const metaDraft = await this.draft()
      await writeFile(metaDraft, JSON.stringify(meta))
      await rename(metaDraft, at(hash, 'json'))
      await added(size)
      return { ...meta, path: at(hash, 'body'), sizeBytes: size }
    },

    async put(body: string, meta: CacheMeta): Promise<Cached> {
      const draft = await this.draft()
      await writeFile(draft, body)
      return this.take(draft, meta)
    },

    /** The same body was confirmed by the upstream: it is fresh again. */
    async touch({ path: _path, sizeBytes: _sizeBytes, ...meta }: Cached): Promise<void> {
      const metaDraft = await this.draft()
      await writeFile(metaDraft, JSON.stringify(meta))
      await rename(metaDraft, at(hashOf(meta.key), 'json'))
    },
  }
}
export type Cache = ReturnType<typeof createCache>

/** For `catch`: a missing file is an answer, everything else is a fault. */
function ifMissing<T>(value: T) {
  return (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return value
    throw error
  }
}
