import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { isAppError } from '../../../platform/errors.ts'
import type { Log } from '../../../platform/log.ts'
import { createCache } from './cache.ts'
import { createConnectProxy, dialDirectly, type Dial, type Traffic } from './connect.ts'
import { readNpmSettings, readPypiIndexes } from './host-settings.ts'
import { createLimit } from './limit.ts'
import { createNpmMirror } from './npm.ts'
import { createPypiMirror } from './pypi.ts'
import { say, type Reply } from './reply.ts'
import { Refused, resolveAll, type Resolve } from './target.ts'
import { createUpstream, UpstreamDown } from './upstream.ts'

export type EgressOptions = {
  /** NPM_REGISTRY; null = as this machine's npm is configured. */
  npmRegistry: string | null
  /** PYPI_INDEX; null = as this machine's pip is configured. */
  pypiIndex: string | null
  /** Tarballs and documents of all projects; they are public packages. */
  cacheDir: string
  /** Exact `host:port` pairs an owner allowed. */
  allowedHosts(projectId: ProjectId): Promise<readonly string[]> | readonly string[]
  /** Tells the project what was refused and why: the same once a minute. Not awaited; its failures are logged. */
  onRefused(projectId: ProjectId, refusal: Refusal): Promise<void> | void
  /** What a connection to an allowed host carried, once it has ended. Not awaited; its failures are logged. */
  onTraffic?(projectId: ProjectId, target: string, traffic: Traffic): Promise<void> | void
  log: Log
  /** How names are resolved; the system's resolver unless a test plays it. */
  resolve?: Resolve
  /** How a checked address is reached; a test plays the network here. */
  dial?: Dial
  maxCacheBytes?: number
  maxConnections?: number
  maxBytesPerDay?: number
  maxToldPerMinute?: number
}

/** `allow`: the `host:port` that an owner could allow; null where that would not help. */
export type Refusal = { target: string; reason: string; allow: string | null }

/** Each is a line that people see: enough for a build's hosts, and no flood. */
const defaultToldPerMinute = 30

/**
 * The platform's side of a sandbox's only way out. `attach` serves an HTTP/2 server session whose streams the supervisor
 * opens: CONNECT is a tunnel to an allowed host, GET and HEAD ask the package mirrors (npm at `/`, Python at `/pypi/`),
 * anything else is refused and told to the project. What comes in is written by sandboxed code: only the project id, which
 * the platform knows by itself, decides about rights.
 */
export function createEgress(options: EgressOptions) {
  const { log, cacheDir, onRefused, allowedHosts, maxToldPerMinute = defaultToldPerMinute } = options
  const resolve = options.resolve ?? resolveAll
  const cache = createCache({ folder: cacheDir, maxBytes: options.maxCacheBytes ?? 5 * 1024 ** 3 })
  const tunnel = createConnectProxy({
    allowedHosts,
    onTraffic(projectId, target, traffic) {
      const tell = async () => options.onTraffic?.(projectId, target, traffic)
      tell().catch((error: unknown) => log.warn({ err: error, projectId, target }, 'bytes were not counted'))
    },
    resolve,
    dial: options.dial ?? dialDirectly,
    log,
    maxConnections: options.maxConnections ?? 256,
    maxBytesPerDay: options.maxBytesPerDay ?? 10 * 1024 ** 3,
  })

  /** This machine's configuration is read at the first request and kept; a failed reading is tried again. */
  let settings: Promise<Awaited<ReturnType<typeof buildMirrors>>> | null = null
  async function buildMirrors() {
    const npmSettings = await readNpmSettings(options.npmRegistry)
    const upstream = createUpstream({ way: npmSettings.way, resolve })
    const npm = createNpmMirror({ registries: npmSettings.registries, upstream, cache })
    let pypi: Promise<ReturnType<typeof createPypiMirror> | null> | null = null
    const buildPypi = async () => {
      const indexes = await readPypiIndexes(options.pypiIndex)
      return indexes.length > 0 ? createPypiMirror({ indexes, upstream, cache }) : null
    }
    return { npm, pypi: () => (pypi ??= buildPypi()), close: () => upstream.close() }
  }
  const mirrors = () =>
    (settings ??= buildMirrors().catch((error: unknown) => {
      settings = null
      throw new UpstreamDown(`The package registry of this machine is not known: ${(error as Error).message}`)
    }))

  async function ask(path: string, accept: string): Promise<Reply> {
    const bare = path.replace(/\?.*$/s, '')
    if (bare === '/-/ping') return { status: 200, text: '{}', contentType: 'application/json' }
    const { npm, pypi } = await mirrors()
    if (!bare.startsWith('/pypi/')) return npm(bare, accept)
    const python = await pypi()
    return python ? python(bare) : say(404, 'No Python package index is configured; the operator can set PYPI_INDEX')
  }

  async function mirror(path: string, accept: string): Promise<Reply> {
    try {
      return await ask(path, accept)
    } catch (error) {
      if (isAppError(error, 'unavailable')) return say(503, error.message)
      if (!(error instanceof UpstreamDown)) throw error
      log.warn({ err: error }, 'package mirror: the upstream is out of reach')
      // 503 is what npm and pip try again.
      return say(503, `The package registry is out of reach: ${error.message}`)
    }
  }

  /** What a project was told in the last minute: code that tries in a loop must not fill the log. */
  const told = new Map<ProjectId, { since: number; refusals: Set<string> }>()

  function refused(projectId: ProjectId, target: string, reason: string, allow: string | null = null) {
    // The target is the sandbox's own words: cut, and without anything that could break a line.
    const shown = target.replace(/[^\x20-\x7e]/g, '?').slice(0, 300)
    const known = told.get(projectId)
    const minute =
      known && Date.now() - known.since < 60_000 ? known : { since: Date.now(), refusals: new Set<string>() }
    told.set(projectId, minute)
    // The reason counts too: a host that was just allowed may be refused for where its name leads.
    const same = `${shown} ${reason}`
    if (minute.refusals.has(same) || minute.refusals.size >= maxToldPerMinute) return
    minute.refusals.add(same)
    const tell = async () => onRefused(projectId, { target: shown, reason, allow })
    tell().catch((error: unknown) => log.error({ err: error, projectId }, 'a refusal could not be told to the project'))
  }

  async function serve(projectId: ProjectId, stream: ServerHttp2Stream, headers: IncomingHttpHeaders & PseudoHeaders) {
    const method = headers[':method'] ?? ''
    const path = headers[':path'] ?? ''
    if (method === 'CONNECT') {
      const authority = headers[':authority'] ?? ''
      try {
        await tunnel.open(projectId, authority, stream)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        refused(projectId, authority, error.message, error.allow)
        await send(stream, say(403, error.message), headers)
      }
      return
    }
    // The supervisor names its door. Sandboxed code could lie about it and would only get to a mirror that it may read.
    if (headers['guildhall-door'] === 'proxy' || !path.startsWith('/')) {
      refused(projectId, `${headers[':authority'] ?? ''}${path}`, 'Plain http is not passed on; use https')
      return send(stream, say(403, 'Only CONNECT is a way through this proxy: use https'), headers)
    }
    if (method !== 'GET' && method !== 'HEAD') {
      refused(projectId, `${method} ${path}`, 'The package mirrors are read-only')
      return send(stream, say(405, 'The package mirrors are read-only'), headers)
    }
    return send(stream, await mirror(path, headers.accept ?? ''), headers)
  }

  return {
    /** Serves the session until it closes. `projectId` is whose sandbox is at the other end. */
    attach(projectId: ProjectId, session: ServerHttp2Session): void {
      const limit = createLimit({ running: 512, waiting: 512 })
      session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders & PseudoHeaders) => {
        stream.on('error', (error) => log.debug({ err: error, projectId }, 'egress stream ended early'))
        limit(() => serve(projectId, stream, headers)).catch((error: unknown) => {
          if (!stream.destroyed) log.error({ err: error, projectId }, 'egress request failed')
          stream.destroy()
        })
      })
      session.on('error', (error) => log.debug({ err: error, projectId }, 'egress session ended'))
    },

    /** Ends connections of the project to hosts that are no longer allowed. */
    recheck: (projectId: ProjectId): Promise<void> => tunnel.recheck(projectId),

    async close(): Promise<void> {
      tunnel.close()
      const built = await settings?.catch(() => null)
      built?.close()
    },
  }
}
export type Egress = ReturnType<typeof createEgress>

type PseudoHeaders = { ':method'?: string; ':path'?: string; ':authority'?: string }

async function send(stream: ServerHttp2Stream, reply: Reply, headers: IncomingHttpHeaders & PseudoHeaders) {
  if (stream.destroyed) return
  const isHead = headers[':method'] === 'HEAD'
  // What a refused upload carries is read away, so that its sender gets to the answer.
  stream.resume()
  if ('text' in reply) {
    const length = Buffer.byteLength(reply.text)
    stream.respond({ ':status': reply.status, 'content-type': reply.contentType, 'content-length': length })
    stream.end(isHead ? undefined : reply.text)
    return
  }
  const same = { 'cache-control': reply.cacheControl, ...(reply.etag ? { etag: reply.etag } : {}) }
  if (reply.etag && headers['if-none-match'] === reply.etag) {
    stream.respond({ ':status': 304, ...same }, { endStream: true })
    return
  }
  const facts = { ':status': 200, 'content-type': reply.contentType, 'content-length': reply.sizeBytes, ...same }
  stream.respond(facts, { endStream: isHead })
  if (!isHead) await pipeline(createReadStream(reply.path), stream)
}
