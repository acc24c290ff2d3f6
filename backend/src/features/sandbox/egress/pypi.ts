import { readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Cache, Cached } from './cache.ts'
import { createOnce } from './limit.ts'
import { fromCache, say, type Reply } from './reply.ts'
import { UpstreamDown, type Upstream } from './upstream.ts'

const freshMs = 5 * 60_000
const maxPageBytes = 64 * 1024 * 1024
const maxFileBytes = 1024 * 1024 * 1024

const pagePath = /^\/pypi\/simple\/([a-z0-9][a-z0-9-]{0,200})\/?$/
const filePath = /^\/pypi\/files\/([a-z0-9][a-z0-9-]{0,200})\/([A-Za-z0-9][A-Za-z0-9._+!~-]{0,300})$/

type Link = { file: string; url: string; sha256: string | null; requiresPython: string | null; isYanked: boolean }

/**
 * Python's package index, read-only: its simple pages with links turned to the mirror, and the files behind them. An
 * index is an http(s) address or a folder (`file:`); the first that knows the project answers.
 */
export function createPypiMirror(options: { indexes: URL[]; upstream: Upstream; cache: Cache }) {
  const { indexes, upstream, cache } = options
  const oncePage = createOnce<Link[] | null>()
  const onceFile = createOnce<Cached | null>()
  const keyOf = (...parts: string[]) => ['pypi', ...indexes.map((index) => index.href), ...parts].join(' ')

  async function ask(index: URL, project: string): Promise<Link[] | null> {
    if (index.protocol === 'file:') {
      const page = new URL(`${project}/index.html`, index)
      const text = await readFile(page, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      })
      return text === null ? null : readLinks(text, page)
    }
    const url = new URL(`${project}/`, index)
    const accept = 'application/vnd.pypi.simple.v1+html, text/html; q=0.5'
    const answer = await upstream.text(url, { accept }, maxPageBytes)
    return answer.status === 200 ? readLinks(answer.text, answer.url) : null
  }

  async function links(project: string): Promise<Link[] | null> {
    const key = keyOf(project, 'links')
    const known = await cache.get(key)
    const read = async (cached: Cached) => JSON.parse(await readFile(cached.path, 'utf8')) as Link[]
    if (known && Date.now() - known.fetchedAt < freshMs) return read(known)
    return oncePage(project, async () => {
      let failure: UpstreamDown | null = null
      for (const index of indexes) {
        try {
          const found = await ask(index, project)
          if (!found) continue
          const meta = { key, contentType: '', etag: '', fetchedAt: Date.now(), upstreamEtag: null }
          await cache.put(JSON.stringify(found), meta)
          return found
        } catch (error) {
          if (!(error instanceof UpstreamDown)) throw error
          failure = error
        }
      }
      if (failure && known) return read(known)
      if (failure) throw failure
      return null
    })
  }

  async function file(project: string, name: string): Promise<Reply> {
    const key = keyOf(project, 'file', name)
    const known = await cache.get(key)
    if (known) return fromCache(known, 'forever')
    const link = (await links(project))?.find((candidate) => candidate.file === name)
    if (!link) return say(404, 'The index has no such file')
    const url = new URL(link.url)
    if (url.protocol === 'file:') return localFile(url)
    const cached = await onceFile(key, async () => {
      const draft = await cache.draft()
      try {
        const { status, digest } = await upstream.file(url, draft, { maxBytes: maxFileBytes, algorithm: 'sha256' })
        if (status !== 200) return null
        if (link.sha256 && digest.toString('hex') !== link.sha256) {
          throw new UpstreamDown(`${name} is not what the index says: its digest is another`)
        }
        const etag = `"${digest.toString('base64url')}"`
        const meta = { key, contentType: 'application/octet-stream', etag, fetchedAt: Date.now(), upstreamEtag: null }
        return await cache.take(draft, meta)
      } finally {
        await rm(draft, { force: true })
      }
    })
    return cached ? fromCache(cached, 'forever') : say(404, 'The index has no such file')
  }

  /** A file of an index on this disk: only below the folder that holds the index, wherever links in it point. */
  async function localFile(url: URL): Promise<Reply> {
    const path = await realpath(fileURLToPath(url))
    const homes = await Promise.all(
      indexes
        .filter((index) => index.protocol === 'file:')
        .map(async (index) => dirname(await realpath(fileURLToPath(index)))),
    )
    if (!homes.some((home) => path.startsWith(`${home}/`))) return say(404, 'The index has no such file')
    const { size } = await stat(path)
    const cacheControl = 'public, max-age=300'
    return { status: 200, path, sizeBytes: size, contentType: 'application/octet-stream', etag: null, cacheControl }
  }

  return async (path: string): Promise<Reply> => {
    const asFile = filePath.exec(path)
    if (asFile) return file(asFile[1]!, asFile[2]!)
    const asPage = pagePath.exec(path)
    if (!asPage) return say(404, 'Only projects and their files are mirrored')
    const found = await links(asPage[1]!)
    if (!found) return say(404, 'The index has no such project')
    return { status: 200, text: writePage(asPage[1]!, found), contentType: 'text/html; charset=utf-8' }
  }
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part)
  } catch {
    return null
  }
}

const unescape = (text: string) =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** The anchors of a simple page (PEP 503). Links to anything but http(s) and files are left out. */
function readLinks(page: string, base: URL): Link[] {
  const links: Link[] = []
  for (const [, attributes] of page.matchAll(/<a\s([^>]*)>/gi)) {
    const value = (name: string) => {
      const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(attributes!)
      return match ? unescape(match[1] ?? match[2] ?? '') : null
    }
    const href = value('href')
    if (href === null || !URL.canParse(href, base.href)) continue
    const url = new URL(href, base)
    if (url.protocol !== base.protocol && url.protocol !== 'https:' && url.protocol !== 'http:') continue
    const sha256 = /^#sha256=([0-9a-f]{64})$/.exec(url.hash)?.[1] ?? null
    url.hash = ''
    const file = decoded(url.pathname.split('/').at(-1) ?? '')
    if (file === null) continue
    const isYanked = value('data-yanked') !== null
    links.push({ file, url: url.href, sha256, requiresPython: value('data-requires-python'), isYanked })
  }
  return links
}

function writePage(project: string, links: Link[]): string {
  const rows = links.map(({ file, sha256, requiresPython, isYanked }) => {
    const python = requiresPython === null ? '' : ` data-requires-python="${escape(requiresPython)}"`
    const href = `/pypi/files/${project}/${encodeURIComponent(file)}${sha256 ? `#sha256=${sha256}` : ''}`
    return `<a href="${href}"${python}${isYanked ? ' data-yanked=""' : ''}>${escape(file)}</a><br>`
  })
  return `<!DOCTYPE html><html><head><title>${project}</title></head><body>\n${rows.join('\n')}\n</body></html>\n`
}
