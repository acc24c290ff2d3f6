import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { SessionId } from '@guildhall/protocol/ids.ts'
import type { Database } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import type { IdentityService } from '../identity/service.ts'
import type { Authorize } from '../projects/service.ts'
import { createGrants, type Grant, grantS } from './grants.ts'
import { cookieName, ownCookies, shapeFault } from './headers.ts'
import { readHost } from './host.ts'
import { type Notice, sendNotice } from './pages.ts'
import { passRequest, passUpgrade, type Target } from './proxy.ts'
import type { Sandboxes } from './runner.ts'
import { findByHost, type PreviewRow } from './store.ts'
import { linkUsed, noticeOf, openFromWorkbench, readersOnly, resting, unknownPreview } from './words.ts'

export interface DoorOptions {
  db: Database
  authorize: Authorize
  identity: Pick<IdentityService, 'takeTicket' | 'actorOfSession'>
  sandbox: Pick<Sandboxes, 'session'>
  /** Signs the cookie; without one, cookies end with this process. */
  secret?: string | undefined
  domain: string
  originOf: (host: string) => string
  /** Origins of the workbench: the only pages that may show a preview in a frame. */
  ancestors: () => string[]
  /** Someone came to a preview that sleeps. */
  wake: (row: PreviewRow) => Promise<PreviewRow>
  /** A ready preview took no connection: what became of it? */
  check: (row: PreviewRow) => Promise<PreviewRow>
  log: Log
}

/** Open connections are asked for their rights this often. */
const sweepMs = 3_000
const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Sockets that only tell a page to reload; a viewer may have them. Any other socket can change things. */
const readingProtocols = new Set(['vite-hmr', 'vite-ping'])

/** Everything that arrives on a preview's host name. It stands before the API and never lets a request through to it. */
export function createDoor(options: DoorOptions) {
  const { db, authorize, identity, sandbox, secret, domain, originOf, ancestors, wake, check, log } = options
  const grants = createGrants({ secret, authorize, actorOfSession: (id: SessionId) => identity.actorOfSession(id) })
  const open = new Set<{ grant: Grant; needsChange: boolean; cut: () => void }>()

  const timer = setInterval(() => void sweep(), sweepMs)
  timer.unref()

  async function sweep(): Promise<void> {
    for (const each of [...open]) {
      const rights = await grants.rightsOf(each.grant).catch((error: unknown) => {
        log.warn({ err: error }, 'rights of an open preview connection could not be asked')
        return null
      })
      if (rights && !(each.needsChange ? rights.mayChange : rights.mayLook)) each.cut()
    }
  }

  function track(grant: Grant, needsChange: boolean, cut: () => void): () => void {
    const entry = { grant, needsChange, cut }
    open.add(entry)
    return () => open.delete(entry)
  }

  const rowOf = (label: string) =>
    label === 'unknown' ? Promise.resolve(null) : db.system((tx) => findByHost(tx, label))

  /** The grant behind the request's cookie; two cookies of that name count as none. */
  function grantOf(request: IncomingMessage, row: PreviewRow): Grant | null {
    const [secret, ...others] = ownCookies(request.headers.cookie)
    return secret !== undefined && others.length === 0 ? grants.find(secret, row.host) : null
  }

  const targetOf = (row: PreviewRow): Target => ({
    // Where to is the row's; nothing of the request takes part in it.
    dial: async () => (await sandbox.session(row.projectId)).dial(row.port),
    port: row.port,
    ownOrigin: originOf(row.host),
    ancestors: ancestors(),
  })

  /** Trades a ticket for the cookie. */
  async function openWithTicket(request: IncomingMessage, response: ServerResponse, row: PreviewRow) {
    const query = new URL(request.url ?? '/', 'http://preview').searchParams
    const secret = query.get('ticket') ?? ''
    const ticket = secret.length <= 200 ? await identity.takeTicket('preview', secret) : null
    const fits = ticket?.data['projectId'] === row.projectId && ticket.data['branch'] === row.branch
    const to = query.get('to') ?? '/'
    const headers: Record<string, string> = {
      location: /^\/(?![/\\])[^\0-\x20\x7f\\]*$/.test(to) && !to.startsWith('/__guildhall/') ? to : '/',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    }
    if (ticket?.sessionId && fits) {
      const { userId, sessionId } = ticket
      const given = grants.give({ host: row.host, projectId: row.projectId, userId, sessionId })
      const rules = `Path=/; Max-Age=${grantS}; Secure; HttpOnly; SameSite=None; Partitioned`
      headers['set-cookie'] = `${cookieName}=${given}; ${rules}`
    } else if (!grantOf(request, row)) return linkUsed
    response.writeHead(303, headers).end()
    return null
  }

  function sendState(response: ServerResponse, row: PreviewRow): void {
    const { state, logTail, error } = row
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify({ state, title: noticeOf(row).title, logTail, error }))
  }

  /** Answers, or says which of our pages is to be answered. */
  async function serve(request: IncomingMessage, response: ServerResponse, label: string): Promise<Notice | null> {
    const fault = shapeFault(request)
    if (fault) return { status: 400, title: 'Not a request for a preview', text: fault }
    const row = await rowOf(label)
    if (!row) return unknownPreview
    const path = (request.url ?? '/').split('?', 1)[0]!
    if (path === '/__guildhall/open') return openWithTicket(request, response, row)
    const grant = grantOf(request, row)
    const rights = grant && (await grants.rightsOf(grant))
    if (!grant || !rights?.mayLook) return openFromWorkbench
    if (path === '/__guildhall/state') {
      sendState(response, row.state === 'asleep' ? await wake(row) : row)
      return null
    }
    if (path.startsWith('/__guildhall/')) return unknownPreview
    const isReading = readingMethods.has(request.method ?? '')
    if (!isReading && !rights.mayChange) return readersOnly
    if (row.state === 'asleep') {
      const woken = await wake(row)
      return woken.state === 'asleep' ? resting : noticeOf(woken)
    }
    if (row.state !== 'ready') return noticeOf(row)
    const forget = track(grant, !isReading, () => response.destroy())
    try {
      await passRequest(request, response, targetOf(row))
      return null
    } catch (error) {
      log.info({ projectId: row.projectId, err: error }, 'a preview did not answer')
      return noticeOf(await wakeIfAsleep(await check(row)))
    } finally {
      forget()
    }
  }

  const wakeIfAsleep = (row: PreviewRow) => (row.state === 'asleep' ? wake(row) : row)

  async function serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, label: string): Promise<number> {
    if (shapeFault(request)) return 400
    const row = await rowOf(label)
    if (!row) return 404
    const { origin, upgrade, 'sec-websocket-protocol': protocol = '' } = request.headers
    if (upgrade?.toLowerCase() !== 'websocket' || (request.url ?? '').startsWith('/__guildhall/')) return 400
    if (origin !== originOf(row.host)) return 403
    const grant = grantOf(request, row)
    const rights = grant && (await grants.rightsOf(grant))
    if (!grant || !rights?.mayLook) return 401
    const needsChange = !readingProtocols.has(protocol)
    if (needsChange && !rights.mayChange) return 403
    if (row.state !== 'ready') return 503
    const forget = track(grant, needsChange, () => socket.destroy())
    try {
      await passUpgrade(request, socket, head, targetOf(row))
      return 0
    } catch (error) {
      log.info({ projectId: row.projectId, err: error }, 'a preview took no socket')
      await check(row)
      return 502
    } finally {
      forget()
    }
  }

  return {
    /** True when the request is a preview's: it is answered here, whatever the answer. */
    handle(request: IncomingMessage, response: ServerResponse): boolean {
      const label = readHost(request.headers.host, domain)
      if (label === null) return false
      const wantsPage = (request.headers.accept ?? '').includes('text/html')
      const answer = (notice: Notice) => sendNotice(response, notice, { wantsPage, ancestors: ancestors() })
      serve(request, response, label)
        .then((notice) => notice && answer(notice))
        .catch((error: unknown) => {
          const isPlain = isAppError(error)
          if (!isPlain) log.error({ err: error }, 'a preview request failed')
          answer({
            status: isPlain ? 503 : 500,
            title: 'The preview cannot be shown',
            text: isPlain ? error.message : 'Something went wrong on the platform’s side; its log says what.',
          })
        })
      return true
    },

    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
      const label = readHost(request.headers.host, domain)
      if (label === null) return false
      // A socket without a listener for errors takes the process with it.
      socket.on('error', () => socket.destroy())
      serveUpgrade(request, socket, head, label).then(
        (status) => status > 0 && refuse(socket, status),
        (error: unknown) => {
          if (!isAppError(error)) log.error({ err: error }, 'a preview socket failed')
          refuse(socket, 503)
        },
      )
      return true
    },

    close(): void {
      clearInterval(timer)
      for (const { cut } of open) cut()
    },
  }
}

const reasons: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
}

function refuse(socket: Duplex, status: number): void {
  if (socket.destroyed) return
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}
