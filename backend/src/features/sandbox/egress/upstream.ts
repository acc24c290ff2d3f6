import { createWriteStream } from 'node:fs'
import { createHash } from 'node:crypto'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { isPublicAddress } from './addresses.ts'
import { createLimit } from './limit.ts'
import { publicAddresses, type Resolve } from './target.ts'

/** How this machine reaches its registries. */
export type Way = { ca: string[] | null; proxy: NodeJS.ProcessEnv }

/** The upstream could not be asked or did not answer well; what is cached may be served instead. */
export class UpstreamDown extends Error {}

export type Answer = { status: number; headers: http.IncomingHttpHeaders; body: Readable; url: URL }

const idleTimeoutMs = 30_000
const maxRedirects = 5

/**
 * GET from the operator's own registries. The registry's origin may be anywhere, also on loopback, since the operator
 * named it; whatever a redirect or an index points to elsewhere must be on the public internet, checked at the
 * address that is dialled.
 */
export function createUpstream({ way, resolve }: { way: Way; resolve: Resolve }) {
  // Agents know `proxyEnv` since Node 22.21 and 24.5; an older one ignores it and connects directly.
  const options = { keepAlive: true, maxSockets: 16, proxyEnv: way.proxy, ...(way.ca ? { ca: way.ca } : {}) }
  const agents = { 'http:': new http.Agent(options), 'https:': new https.Agent(options) }
  const limit = createLimit({ running: 16, waiting: 2_000 })
  // Behind a proxy it is the proxy that resolves names, and a lookup here would be of the proxy's own.
  const isProxied = ['https_proxy', 'http_proxy', 'HTTPS_PROXY', 'HTTP_PROXY'].some((name) => way.proxy[name])

  const guardedLookup: LookupFunction = (host, { all }, done) => {
    publicAddresses(host, resolve).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }))
        if (all) done(null, found)
        else done(null, found[0]!.address, found[0]!.family)
      },
      (error: Error) => done(error, ''),
    )
  }

  function request(url: URL, headers: http.OutgoingHttpHeaders, trusted: string): Promise<IncomingMessage> {
    const isTrusted = url.origin === trusted
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (!isTrusted && isIP(host) !== 0 && !isPublicAddress(host)) {
      return Promise.reject(new UpstreamDown(`The registry points to ${host}, which is not on the public internet`))
    }
    const client = url.protocol === 'https:' ? https : http
    return new Promise((resolvePromise, reject) => {
      const call = client.get(url, {
        agent: url.protocol === 'https:' ? agents['https:'] : agents['http:'],
        headers,
        timeout: idleTimeoutMs,
        ...(isTrusted || isProxied ? {} : { lookup: guardedLookup }),
      })
      call.on('response', resolvePromise)
      call.on('timeout', () => call.destroy(new Error('no answer in time')))
      call.on('error', (error) => reject(new UpstreamDown(`${url.host}: ${error.message}`, { cause: error })))
    })
  }

  async function open(start: URL, headers: http.OutgoingHttpHeaders): Promise<Answer> {
    let url = start
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new UpstreamDown(`No way to ${url.protocol}`)
      if (url.username || url.password) throw new UpstreamDown('The registry points to an address with a login in it')
      const answer = await request(url, { 'accept-encoding': 'gzip', ...headers }, start.origin)
      const status = answer.statusCode ?? 0
      const location = answer.headers.location
      if (status >= 300 && status < 400 && status !== 304 && location) {
        answer.resume()
        url = new URL(location, url)
        continue
      }
      if (status >= 500 || status === 429) {
        answer.resume()
        throw new UpstreamDown(`${url.host} answered ${status}`)
      }
      const zipped = answer.headers['content-encoding'] === 'gzip'
      const body: Readable = zipped ? answer.pipe(createGunzip()) : answer
      if (zipped) answer.on('error', (error) => body.destroy(error))
      return { status, headers: answer.headers, body, url }
    }
    throw new UpstreamDown(`${start.host} redirects in circles`)
  }

  return {
    /** The whole text of a small document. Throws `UpstreamDown`, also when it is longer than `maxBytes`. */
    text(url: URL, headers: http.OutgoingHttpHeaders, maxBytes: number) {
      return limit(async () => {
        const { body, ...answer } = await open(url, headers)
        const chunks: Buffer[] = []
        try {
          await pipeline(body, bounded(maxBytes), async (source) => {
            for await (const chunk of source) chunks.push(chunk as Buffer)
          })
        } catch (error) {
          throw new UpstreamDown(`${url.host}: ${(error as Error).message}`, { cause: error })
        }
        return { ...answer, text: Buffer.concat(chunks).toString('utf8') }
      })
    },

    /**
     * Writes the document to `path` and returns its status and digest. Only a 200 is written. `algorithm` null = not
     * digested. Throws `UpstreamDown`.
     */
    file(url: URL, path: string, { maxBytes, algorithm }: { maxBytes: number; algorithm: string | null }) {
      return limit(async () => {
        const { body, status } = await open(url, {})
        if (status !== 200) {
          body.resume()
          return { status, digest: Buffer.alloc(0) }
        }
        const hash = algorithm ? createHash(algorithm) : null
        try {
          await pipeline(body, bounded(maxBytes, hash), createWriteStream(path))
        } catch (error) {
          throw new UpstreamDown(`${url.host}: ${(error as Error).message}`, { cause: error })
        }
        return { status, digest: hash ? hash.digest() : Buffer.alloc(0) }
      })
    },

    close() {
      agents['http:'].destroy()
      agents['https:'].destroy()
    },
  }
}
export type Upstream = ReturnType<typeof createUpstream>

/** Passes bytes on, digests them, and fails at the first one over the bound. */
function bounded(maxBytes: number, hash: { update(chunk: Buffer): unknown } | null = null): Transform {
  let seen = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      if (seen > maxBytes) return done(new Error(`the answer is longer than ${maxBytes} bytes`))
      hash?.update(chunk)
      done(null, chunk)
    },
  })
}
