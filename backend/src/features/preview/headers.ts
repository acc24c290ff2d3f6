import type { IncomingMessage } from 'node:http'
import { lettingThrough, type PageScript } from './page-script.ts'

/**
 * What passes between a browser and an app in a sandbox. Both sides are strangers: nothing of the platform's own goes
 * in, and nothing that comes out may speak for the connection or for the platform.
 */

export const cookieName = '__Host-guildhall_preview'

const ofTheConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
])

/** Said about the way here; the proxy says it anew. */
const ofTheWay = /^(?:x-forwarded-.*|forwarded|x-real-ip|via)$/

type Pair = [name: string, value: string]

function* pairs(raw: string[]): Generator<Pair> {
  for (let at = 0; at + 1 < raw.length; at += 2) yield [raw[at]!, raw[at + 1]!]
}

/** Names that a `Connection` header declares as its own. */
function named(raw: string[]): Set<string> {
  const names = new Set<string>()
  for (const [name, value] of pairs(raw)) {
    if (name.toLowerCase() === 'connection') for (const word of value.split(',')) names.add(word.trim().toLowerCase())
  }
  return names
}

const isOwnCookie = (cookie: string) => /^\s*(?:__Host-|__Secure-)?guildhall/i.test(cookie)

/** The values of our own cookie; more than one means that someone tries to push another in. */
export function ownCookies(header: string | undefined): string[] {
  return (header ?? '')
    .split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie.startsWith(`${cookieName}=`))
    .map((cookie) => cookie.slice(cookieName.length + 1))
}

/** A bearer token that the platform issued. Apps have tokens of their own, and those must pass. */
function isOwnAuthorization(value: string): boolean {
  const payload = /^bearer\s+[\w-]+\.([\w-]+)\.[\w-]*$/i.exec(value.trim())?.[1]
  return payload !== undefined && /"(?:iss|aud)"\s*:\s*"guildhall/.test(Buffer.from(payload, 'base64url').toString())
}

/** The request as the app in the sandbox sees it: one from its own machine. */
export function towardsApp(
  request: IncomingMessage,
  {
    port,
    ownOrigin,
    isUpgrade = false,
    isPlain = false,
  }: {
    port: number
    ownOrigin: string
    isUpgrade?: boolean
    /** Asks for an answer that is not compressed. */ isPlain?: boolean
  },
): string[] {
  const dropped = named(request.rawHeaders)
  const local = `http://localhost:${port}`
  const out: string[] = ['Host', `localhost:${port}`]
  for (const [name, value] of pairs(request.rawHeaders)) {
    const key = name.toLowerCase()
    if (key === 'host' || ofTheConnection.has(key) || dropped.has(key) || ofTheWay.test(key)) continue
    if (key === 'accept-encoding' && isPlain) continue
    if (key === 'authorization' && isOwnAuthorization(value)) continue
    if (key === 'cookie') {
      const rest = value.split(';').filter((cookie) => !isOwnCookie(cookie))
      if (rest.length > 0) out.push(name, rest.join(';').trim())
    } else if (key === 'origin' || key === 'referer') {
      const isOwn = value === ownOrigin || value.startsWith(`${ownOrigin}/`)
      out.push(name, isOwn ? local + value.slice(ownOrigin.length) : value)
    } else out.push(name, value)
  }
  const { host, protocol } = new URL(ownOrigin)
  out.push('X-Forwarded-Host', host, 'X-Forwarded-Proto', protocol.slice(0, -1))
  if (isUpgrade) out.push('Connection', 'Upgrade', 'Upgrade', 'websocket')
  else {
    out.push('Connection', 'close')
    if (request.headers['transfer-encoding']) out.push('Transfer-Encoding', 'chunked')
  }
  return out
}

/**
 * An app's cookie as a frame in another site's page may keep it. `SameSite=None` without the app having asked for it
 * would open it to other sites' requests; `Partitioned` keeps it to this top page. Ours cannot be set from inside.
 */
export function appCookie(value: string): string | null {
  if (isOwnCookie(value)) return null
  const [pair, ...attributes] = value.split(';')
  const kept = attributes.filter((word) => !/^\s*(?:domain|secure|samesite|partitioned)\s*(?:=|$)/i.test(word))
  return [pair, ...kept, ' Secure', ' SameSite=None', ' Partitioned'].join(';')
}

/** Headers that would keep the workbench from showing the page, or reach beyond this one origin. */
const notForFrames = new Set(['x-frame-options', 'strict-transport-security', 'alt-svc', 'clear-site-data'])

/** A policy without its `frame-ancestors`, which are ours to say; several may share a header, parted by commas. */
const ownPolicies = (value: string, change: (policy: string) => string): string =>
  value
    .split(',')
    .map((policy) =>
      change(
        policy
          .split(';')
          .filter((rule) => !/^\s*frame-ancestors\b/i.test(rule))
          .join(';'),
      ),
    )
    .filter((policy) => policy.replaceAll(';', '').trim())
    .join(',')

/** The app's answer as the browser sees it. `script` is what is put into this page. */
export function towardsBrowser(
  response: IncomingMessage,
  {
    port,
    ownOrigin,
    ancestors,
    script,
  }: { port: number; ownOrigin: string; ancestors: string[]; script?: PageScript | null },
): string[] {
  const dropped = named(response.rawHeaders)
  const locals = [`http://localhost:${port}`, `http://127.0.0.1:${port}`]
  const out: string[] = []
  for (const [name, value] of pairs(response.rawHeaders)) {
    const key = name.toLowerCase()
    if (ofTheConnection.has(key) || dropped.has(key) || notForFrames.has(key)) continue
    if (key === 'set-cookie') {
      const cookie = appCookie(value)
      if (cookie !== null) out.push(name, cookie)
    } else if (key === 'location' || key === 'content-location') {
      const own = locals.find((local) => value === local || value.startsWith(`${local}/`))
      out.push(name, own ? ownOrigin + value.slice(own.length) : value)
    } else if (key.startsWith('content-security-policy')) {
      const rest = ownPolicies(value, (policy) => (script ? lettingThrough(policy, script.hash) : policy))
      if (rest) out.push(name, rest)
    } else if (key === 'content-length' && script) continue
    else out.push(name, value)
  }
  if (script) out.push('Vary', 'Sec-Fetch-Dest')
  out.push('Content-Security-Policy', `frame-ancestors 'self' ${ancestors.join(' ')}`)
  return out
}

/** Why a request's shape is refused before anything is looked up; null when it is fine. */
export function shapeFault(request: IncomingMessage): string | null {
  const { headers, rawHeaders, url = '' } = request
  const hosts = [...pairs(rawHeaders)].filter(([name]) => name.toLowerCase() === 'host')
  if (hosts.length !== 1) return 'A request names exactly one host.'
  if (headers['transfer-encoding'] !== undefined && headers['content-length'] !== undefined) {
    return 'A request has one length.'
  }
  // Absolute and authority forms could name another place than the Host header does.
  if (!url.startsWith('/') || /[\0-\x20\x7f]/.test(url)) return 'The address must begin with a slash.'
  return null
}
