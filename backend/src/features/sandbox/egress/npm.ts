import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import type { Cache, Cached } from './cache.ts'
import { createOnce } from './limit.ts'
import { rewritePackument, type Files, type Registries } from './packument.ts'
import { fromCache, say, type Reply } from './reply.ts'
import { UpstreamDown, type Upstream } from './upstream.ts'

const shortType = 'application/vnd.npm.install-v1+json'
const freshMs = 5 * 60_000
const maxDocumentBytes = 128 * 1024 * 1024
const maxFileBytes = 512 * 1024 * 1024

const word = '[A-Za-z0-9_~][A-Za-z0-9._~-]{0,213}'
const packagePath = new RegExp(`^/((?:@${word}(?:/|%2[fF]))?${word})$`)
const filePath = new RegExp(`^/((?:@${word}(?:/|%2[fF]))?${word})/-/([A-Za-z0-9._~+-]{1,300}\\.tgz)$`)

type Form = 'short' | 'full'

/**
 * npm's registry, read-only. Documents are fresh for five minutes, then confirmed with the upstream; while that is out of
 * reach the last known one is served. Files are kept as long as there is room, and only when they hash to what their
 * document says.
 */
export function createNpmMirror({
  registries,
  upstream,
  cache,
}: {
  registries: Registries
  upstream: Upstream
  cache: Cache
}) {
  const registry = registries.upstream
  const onceDocument = createOnce<Cached | null>()
  const onceFile = createOnce<Cached | null>()
  const keyOf = (...parts: string[]) => ['npm', registry.href, ...parts].join(' ')

  async function refresh(name: string, form: Form, known: Cached | null): Promise<Cached | null> {
    const accept = form === 'short' ? `${shortType}; q=1.0, application/json; q=0.8` : 'application/json'
    const headers = { accept, ...(known?.upstreamEtag ? { 'if-none-match': known.upstreamEtag } : {}) }
    const url = new URL(name.replace('/', '%2f'), registry)
    const answer = await upstream.text(url, headers, maxDocumentBytes)
    if (answer.status === 304 && known) {
      const confirmed = { ...known, fetchedAt: Date.now() }
      await cache.touch(confirmed)
      return confirmed
    }
    if (answer.status !== 200) return null
    const rewritten = rewritePackument(name, answer.text, form, registries)
    if (!rewritten) throw new UpstreamDown(`${url.host} did not answer with a package document`)
    const meta = { etag: '', fetchedAt: Date.now(), upstreamEtag: null }
    await cache.put(JSON.stringify(rewritten.files), { ...meta, key: keyOf(name, 'files'), contentType: '' })
    return cache.put(rewritten.text, {
      key: keyOf(name, form),
      contentType: form === 'short' ? shortType : 'application/json',
      etag: `"${createHash('sha256').update(rewritten.text).digest('base64url')}"`,
      fetchedAt: meta.fetchedAt,
      upstreamEtag: answer.headers.etag ?? null,
    })
  }

  /** Null = the registry has no such package. Throws `UpstreamDown` when it cannot say and nothing is cached. */
  async function document(name: string, form: Form, maxAgeMs: number): Promise<Cached | null> {
    const known = await cache.get(keyOf(name, form))
    if (known && Date.now() - known.fetchedAt < maxAgeMs) return known
    return onceDocument(`${name} ${form}`, async () => {
      try {
        return await refresh(name, form, known)
      } catch (error) {
        if (known && error instanceof UpstreamDown) return known
        throw error
      }
    })
  }

  async function whereIs(name: string, file: string) {
    const look = async () => {
      const table = await cache.get(keyOf(name, 'files'))
      const files = table ? (JSON.parse(await readFile(table.path, 'utf8')) as Files) : {}
      return Object.hasOwn(files, file) ? files[file]! : null
    }
    const known = await look()
    if (known) return known
    // Not listed: never asked about, or published since.
    await document(name, 'short', 0)
    return look()
  }

  async function file(name: string, fileName: string): Promise<Cached | null> {
    const key = keyOf(name, 'file', fileName)
    const known = await cache.get(key)
    if (known) return known
    return onceFile(key, async () => {
      const place = await whereIs(name, fileName)
      if (!place) return null
      const expected = expectedDigest(place)
      const draft = await cache.draft()
      try {
        const { status, digest } = await upstream.file(new URL(place.url), draft, {
          maxBytes: maxFileBytes,
          algorithm: expected?.algorithm ?? null,
        })
        if (status !== 200) return null
        if (expected && digest.toString('base64') !== expected.digest) {
          throw new UpstreamDown(`${fileName} is not what its document says: its digest is another`)
        }
        const etag = `"${digest.toString('base64url') || fileName}"`
        const meta = { key, contentType: 'application/octet-stream', etag, fetchedAt: Date.now(), upstreamEtag: null }
        return await cache.take(draft, meta)
      } finally {
        await rm(draft, { force: true })
      }
    })
  }

  return async (path: string, accept: string): Promise<Reply> => {
    const asFile = filePath.exec(path)
    if (asFile) {
      const found = await file(plainName(asFile[1]!), asFile[2]!)
      return found ? fromCache(found, 'forever') : say(404, 'The registry has no such file')
    }
    const asPackage = packagePath.exec(path)
    if (!asPackage) return say(404, 'Only packages and their files are mirrored')
    const found = await document(plainName(asPackage[1]!), accept.includes(shortType) ? 'short' : 'full', freshMs)
    return found ? fromCache(found, freshMs / 1000) : say(404, 'The registry has no such package')
  }
}

const plainName = (inPath: string) => inPath.replace(/%2f/i, '/')

/** The strongest digest a document gives: sha512 by subresource integrity, else the old sha1. */
function expectedDigest({ integrity, shasum }: { integrity: string | null; shasum: string | null }) {
  const match = /(?:^|\s)(sha512|sha384|sha256)-([A-Za-z0-9+/]+=*)/.exec(integrity ?? '')
  if (match) return { algorithm: match[1]!, digest: match[2]! }
  return shasum ? { algorithm: 'sha1', digest: Buffer.from(shasum, 'hex').toString('base64') } : null
}
