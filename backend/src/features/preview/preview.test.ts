import { createHash, randomBytes } from 'node:crypto'
import http, { type IncomingMessage } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { PreviewState } from '@guildhall/protocol/preview.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { createLog } from '../../platform/log.ts'
import { createPubSub } from '../../platform/pubsub/pubsub.ts'
import { createQueue } from '../../platform/queue/queue.ts'
import { type RepositoryWorld, repositoryWorld } from '../../testing/repository.ts'
import { freshUser, join } from '../../testing/world.ts'
import { createIdentityService } from '../identity/service.ts'
import { createAuthorize } from '../projects/service.ts'
import { createPreviewService, type PreviewService } from './service.ts'

type Person = Actor & { kind: 'user' }

/** An app that tells what reached it. */
const app = `
import http from 'node:http'
import { writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
writeFileSync('pid', String(process.pid))
const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0]
  if (path === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    let n = 0
    const timer = setInterval(() => response.write('data: ' + ++n + '\\n\\n'), 50)
    request.on('close', () => clearInterval(timer))
    response.on('close', () => console.log('events ended'))
    return
  }
  if (path === '/cut') { response.writeHead(200, { 'content-length': 100 }); response.write('half'); return setTimeout(() => response.destroy(), 50) }
  if (path.startsWith('/rude/')) return request.socket.end('HTTP/1.1 ' + decodeURIComponent(path.slice(6)) + '\\r\\n\\r\\nhello')
  if (path === '/page') {
    const page = '<!doctype html><html lang="en"><head><script>app()</script></head></html>'
    response.writeHead(200, { 'content-type': 'text/html', 'content-length': page.length,
      'content-security-policy': "script-src 'nonce-app', frame-ancestors 'none'", 'x-encodings': request.headers['accept-encoding'] ?? 'none' })
    return response.end(page)
  }
  if (path === '/headers') {
    response.writeHead(302, [
      'Location', 'http://localhost:' + process.env.PORT + '/there', 'X-Frame-Options', 'DENY',
      'Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'",
      'Set-Cookie', 'sid=1; Path=/; HttpOnly; SameSite=Strict; Domain=localhost', 'Set-Cookie', 'b=2; Max-Age=5',
      'Set-Cookie', '__Host-guildhall_preview=forged; Path=/; Secure', 'Keep-Alive', 'timeout=99',
    ])
    return response.end()
  }
  const hash = createHash('sha256')
  let size = 0
  request.on('data', (chunk) => { size += chunk.length; hash.update(chunk) })
  request.on('end', () => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method: request.method, url: request.url, raw: request.rawHeaders, size, hash: hash.digest('hex') }))
  })
})
server.on('upgrade', (request, socket) => {
  if (request.url === '/refused') return socket.end('HTTP/1.1 403 Forbidden\\r\\ncontent-length: 2\\r\\n\\r\\nno')
  const key = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  const protocol = request.headers['sec-websocket-protocol']
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + key +
    '\\r\\n' + (protocol ? 'Sec-WebSocket-Protocol: ' + protocol + '\\r\\n' : '') + '\\r\\n')
  const said = Buffer.from(JSON.stringify(request.rawHeaders))
  socket.write(Buffer.concat([Buffer.from([0x81, 126, said.length >> 8, said.length & 255]), said]))
  socket.on('error', () => undefined)
})
server.listen(process.env.PORT, '127.0.0.1', () => console.log('listening'))
`
const broken = 'console.error("Error: cannot find module \\u001b[31mleft-pad\\u001b[0m"); process.exit(3)\n'

let world: RepositoryWorld
let preview: PreviewService
let queue: ReturnType<typeof createQueue>
let server: http.Server
let viewer: Person
let startCommand = 'node app.mjs'
let isArchived = false
let dialled: number[] = []
let cleanUp: () => Promise<void>
const port = () => (server.address() as AddressInfo).port
const label = `p${randomBytes(5).toString('hex')}`

/** As a process would build it. */
async function build(secret?: string): Promise<PreviewService> {
  const { db, projectId } = world
  const log = createLog({ level: 'silent' })
  const identity = createIdentityService({ db, pubsub, jwtSecret: 'x'.repeat(40), registration: 'open' })
  const session = {
    ...world.session,
    dial: (to: number) => {
      dialled.push(to)
      return world.session.dial(to)
    },
  }
  return createPreviewService({
    db,
    authorize: createAuthorize({ db }),
    sandbox: { ...world.options.sandbox, session: async () => session },
    repository: world.repository,
    identity,
    queue,
    projectOf: async (id) => ({
      previewLabel: id === projectId ? label : `o${id.slice(-10)}`,
      startCommand,
      isArchived,
    }),
    address: { domain: 'preview.localhost', publicUrl: null, port },
    log,
    ...(secret && { secret }),
    readyMs: 8_000,
  })
}

const pubsub = createPubSub({ redisUrl: null, log: createLog({ level: 'silent' }) })

beforeAll(async () => {
  world = await repositoryWorld({ files: { 'app.mjs': app, 'broken.mjs': broken } })
  // Ports of this machine are shared by all tests: the local driver has no walls.
  const offset = 20_000 + Math.floor(Math.random() * 20_000)
  world.repository.portOf = async () => 3_000 + offset
  const { ensureWorkTree } = world.repository
  world.repository.ensureWorkTree = async (...args) => ({ ...(await ensureWorkTree(...args)), port: 3_000 + offset })
  queue = createQueue({ systemUrl: world.systemUrl, log: createLog({ level: 'silent' }) })
  server = http.createServer((request, response) => {
    if (!preview.handle(request, response)) response.writeHead(418).end('the API')
  })
  server.on('upgrade', (request, socket, head) => {
    if (!preview.upgrade(request, socket, head)) socket.end('HTTP/1.1 418 API\r\n\r\n')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  preview = await build()
  preview.work()
  viewer = await freshUser(world.db)
  await join(world.db, world.projectId, viewer, 'viewer')
  cleanUp = async () => {
    preview.close()
    server.closeAllConnections()
    server.close()
    await queue.close()
    await world.close()
  }
})
afterAll(() => cleanUp())

const host = (name = `${label}--main`) => `${name}.preview.localhost:${port()}`

interface Answer {
  status: number
  headers: IncomingMessage['headers']
  raw: string[]
  text: string
}
function ask(
  path: string,
  {
    headers = {},
    method = 'GET',
    body,
    at = host(),
  }: { headers?: Record<string, string>; method?: string; body?: Buffer; at?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port: port(), path, method, headers: { host: at, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            raw: response.rawHeaders,
            text: Buffer.concat(chunks).toString(),
          }),
        )
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

async function cookieFor(person: Person): Promise<string> {
  const { url } = await preview.ticket(person, world.projectId, 'main')
  const { pathname, search } = new URL(url)
  const answer = await ask(pathname + search)
  expect(answer.status).toBe(303)
  return answer.headers['set-cookie']![0]!.split(';')[0]!
}

async function until(state: PreviewState): Promise<void> {
  for (let n = 0; n < 300; n++) {
    const now = await preview.get(world.owner, world.projectId, 'main')
    if (now.state === state) return
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error(`never ${state}: ${JSON.stringify(await preview.get(world.owner, world.projectId, 'main'))}`)
}

test('a preview is installed, starts, is ready, and each state is told', async () => {
  const { projectId, owner } = world
  expect(await preview.start(owner, projectId, 'main')).toMatchObject({ state: 'installing', command: 'node app.mjs' })
  await until('ready')
  const states = (await world.events()).filter(({ type }) => type === 'preview.changed').map(({ data }) => data)
  const told = states.map((data) => (data as { preview: { state: string } }).preview.state)
  expect([...new Set(told)]).toEqual(['installing', 'starting', 'ready'])
  expect(await preview.get(viewer, projectId, 'main')).toMatchObject({
    state: 'ready',
    origin: `http://${label}--main.preview.localhost:${port()}`,
    logTail: 'listening',
  })
  await expect(preview.start(viewer, projectId, 'main')).rejects.toMatchObject({ code: 'forbidden' })
  await expect(preview.get(await freshUser(world.db), projectId, 'main')).rejects.toMatchObject({ code: 'not_found' })
})

describe('the way in', () => {
  test('is a ticket that works once and leaves a cookie of the preview’s own', async () => {
    const { url, expiresIn } = await preview.ticket(world.owner, world.projectId, 'main')
    expect(expiresIn).toBe(30)
    const { pathname, search, hostname } = new URL(url)
    expect(hostname).toBe(`${label}--main.preview.localhost`)
    const first = await ask(pathname + search)
    expect(first.status).toBe(303)
    expect(first.headers).toMatchObject({
      location: '/',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    const [cookie, ...rules] = first.headers['set-cookie']![0]!.split('; ')
    expect(rules).toEqual(['Path=/', 'Max-Age=43200', 'Secure', 'HttpOnly', 'SameSite=None', 'Partitioned'])
    expect((await ask(pathname + search)).status).toBe(401)
    expect((await ask('/', { headers: { cookie: cookie! } })).status).toBe(200)
  })

  test('without a cookie, with a wrong one, with two, or with another preview’s, is closed', async () => {
    const cookie = await cookieFor(world.owner)
    const [payload, mark] = cookie.split('.') as [string, string]
    const changed = Buffer.from(payload.split('=')[1]!, 'base64url')
      .toString()
      .replace(/"until":\d/, '"until":9')
    const forged = `__Host-guildhall_preview=${Buffer.from(changed).toString('base64url')}.${mark}`
    for (const value of [
      forged,
      `${payload}.`,
      '',
      '__Host-guildhall_preview=guess',
      `${cookie}; ${cookie}`,
      cookie.replace('__Host-', ''),
    ]) {
      const answer = await ask('/', { headers: { cookie: value, accept: 'text/html' } })
      expect(answer.status, value).toBe(401)
      expect(answer.text).toContain('Open this preview from the workbench')
    }
    // The same project’s other branch has a host, and so a cookie, of its own.
    const { name } = await world.branch('agent/engineer/other')
    const { origin } = await preview.get(world.owner, world.projectId, name)
    const elsewhere = new URL(origin!).host
    expect((await ask('/', { at: elsewhere, headers: { cookie } })).status).toBe(401)
    expect((await ask('/', { at: host('nobody--main'), headers: { cookie } })).status).toBe(404)
  })

  test('only leads to a path of the preview itself', async () => {
    for (const [to, location] of [
      ['/a?b=c', '/a?b=c'],
      ['//evil.example', '/'],
      ['/\\evil.example', '/'],
      ['https://evil.example', '/'],
      ['/\t/evil.example', '/'],
      ['/__guildhall/open?ticket=x', '/'],
    ] as const) {
      const { url } = await preview.ticket(world.owner, world.projectId, 'main')
      const path = new URL(url).pathname + new URL(url).search.replace('to=%2F', `to=${encodeURIComponent(to)}`)
      expect((await ask(path)).headers.location, to).toBe(location)
    }
  })

  test('stays open over a restart of the platform when cookies are signed with its secret', async () => {
    const first = preview
    preview = await build('a secret of this installation')
    const cookie = await cookieFor(world.owner)
    preview.close()
    preview = await build('a secret of this installation')
    expect((await ask('/', { headers: { cookie } })).status).toBe(200)
    preview.close()
    preview = await build('another secret')
    expect((await ask('/', { headers: { cookie } })).status).toBe(401)
    preview.close()
    preview = first
  })

  test('ends with the membership', async () => {
    const guest = await freshUser(world.db)
    await join(world.db, world.projectId, guest, 'viewer')
    const cookie = await cookieFor(guest)
    expect((await ask('/', { headers: { cookie } })).status).toBe(200)
    const events = http.get({ host: '127.0.0.1', port: port(), path: '/events', headers: { host: host(), cookie } })
    const ended = new Promise<void>((done) => {
      events.on('response', (response) => {
        response.on('error', () => done())
        response.resume()
      })
    })
    await world.db.system((tx) => tx.execute(`delete from project_members where user_id = '${guest.userId}'`))
    // An open stream ends too, within the sweep.
    await ended
    expect((await ask('/', { headers: { cookie } })).status).toBe(401)
  }, 20_000)
})

describe('what reaches the app', () => {
  test('carries nothing of ours, and looks like a request of its own machine', async () => {
    const cookie = await cookieFor(world.owner)
    const own = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"iss":"guildhall","aud":"guildhall-api"}').toString('base64url')}.c2ln`
    const answer = await ask('/path?x=1&y=%2F', {
      headers: {
        cookie: `a=1; ${cookie}; __Host-guildhall_refresh=planted; guildhall_x=planted; b=2`,
        authorization: `Bearer ${own}`,
        origin: `http://${host()}`,
        referer: `http://${host()}/page`,
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-host': 'evil.example',
        connection: 'close, x-secret-hop',
        'x-secret-hop': 'planted',
        'proxy-authorization': 'planted',
      },
    })
    const seen = JSON.parse(answer.text) as { url: string; raw: string[] }
    expect(seen.url).toBe('/path?x=1&y=%2F')
    const text = JSON.stringify(seen.raw)
    const local = `localhost:${dialled.at(-1)}`
    for (const secret of ['planted', own, cookie.split('=')[1]!, '6.6.6.6', 'evil.example']) {
      expect(text).not.toContain(secret)
    }
    const pairs = Object.fromEntries(
      seen.raw.flatMap((name, at) => (at % 2 ? [] : [[name.toLowerCase(), seen.raw[at + 1]]])),
    )
    expect(pairs).toMatchObject({
      host: local,
      origin: `http://${local}`,
      referer: `http://${local}/page`,
      cookie: 'a=1; b=2',
      'x-forwarded-host': host(),
    })
  })

  test('keeps the app’s own bearer token, unusual methods and a 20 MB upload whole', async () => {
    const cookie = await cookieFor(world.owner)
    const token = await ask('/', { headers: { cookie, authorization: 'Bearer app-token' } })
    expect(token.text).toContain('app-token')
    expect(JSON.parse((await ask('/', { method: 'PROPFIND', headers: { cookie } })).text)).toMatchObject({
      method: 'PROPFIND',
    })
    const body = randomBytes(20 * 1024 * 1024)
    const lengths: Record<string, string>[] = [{}, { 'transfer-encoding': 'chunked' }]
    for (const length of lengths) {
      const { text } = await ask('/upload', { method: 'POST', headers: { cookie, ...length }, body })
      expect(JSON.parse(text)).toMatchObject({
        size: body.length,
        hash: createHash('sha256').update(body).digest('hex'),
      })
    }
  })

  test('of a viewer is reading only', async () => {
    const cookie = await cookieFor(viewer)
    expect((await ask('/', { headers: { cookie } })).status).toBe(200)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      expect((await ask('/', { method, headers: { cookie } })).status).toBe(403)
    }
  })
})

test('what comes back is made fit for a frame on another site', async () => {
  const answer = await ask('/headers', { headers: { cookie: await cookieFor(world.owner) } })
  expect(answer.status).toBe(302)
  expect(answer.headers.location).toBe(`http://${host()}/there`)
  expect(answer.headers['set-cookie']).toEqual([
    'sid=1; Path=/; HttpOnly; Secure; SameSite=None; Partitioned',
    'b=2; Max-Age=5; Secure; SameSite=None; Partitioned',
  ])
  expect(answer.headers['x-frame-options']).toBeUndefined()
  expect(answer.headers['keep-alive']).not.toBe('timeout=99')
  const policies = answer.raw.filter((_, at) => answer.raw[at - 1]?.toLowerCase() === 'content-security-policy')
  expect(policies[0]).toBe("default-src 'self'")
  expect(policies[1]).toContain(`frame-ancestors 'self' http://localhost:${port()}`)
})

test('an answer that is no HTTP costs its own request, never the platform', async () => {
  const cookie = await cookieFor(world.owner)
  // Node parses each of these and refuses to write them.
  for (const line of ['200 O\u0001K', '200 \u007f', '099 x', '000 x', '101 Switching Protocols']) {
    const answer = await ask(`/rude/${encodeURIComponent(line)}`, { headers: { cookie } })
    expect([line, answer.status === 200 || answer.status === 502]).toEqual([line, true])
  }
  expect((await ask('/', { headers: { cookie } })).status).toBe(200)
})

describe('a page in the workbench’s frame', () => {
  const get = async (dest: string) =>
    ask('/page', {
      headers: { cookie: await cookieFor(viewer), 'sec-fetch-dest': dest, 'accept-encoding': 'gzip, br' },
    })

  test('has our script before its own, let through by its policy', async () => {
    const { text, headers, raw } = await get('iframe')
    const script = /^<!doctype html><html lang="en"><head><script>([^<]+)<\/script><script>app\(\)/.exec(text)?.[1]
    expect(script).toContain(`["http://localhost:${port()}"`)
    const hash = createHash('sha256').update(script!).digest('base64')
    const policies = raw.filter((_, at) => raw[at - 1]?.toLowerCase() === 'content-security-policy')
    expect(policies[0]).toBe(`script-src 'nonce-app' 'sha256-${hash}'`)
    expect([headers['content-length'], headers['x-encodings'], headers.vary]).toEqual([
      undefined,
      'none',
      'Sec-Fetch-Dest',
    ])
  })

  test('that anything else asks for stays byte for byte', async () => {
    for (const dest of ['document', 'empty', '']) {
      const { text, headers } = await get(dest)
      expect(text).toBe('<!doctype html><html lang="en"><head><script>app()</script></head></html>')
      expect([headers['content-length'], headers['x-encodings']]).toEqual([String(text.length), 'gzip, br'])
    }
  })

  test('opens where the workbench was', async () => {
    const { url } = await preview.ticket(world.owner, world.projectId, 'main', '/basket?tab=2#top')
    const { pathname, search } = new URL(url)
    expect((await ask(pathname + search)).headers.location).toBe('/basket?tab=2#top')
  })
})

test('events stream as they happen, and the app notices when the reader leaves', async () => {
  const cookie = await cookieFor(world.owner)
  await new Promise<void>((done, fail) => {
    const request = http.get(
      { host: '127.0.0.1', port: port(), path: '/events', headers: { host: host(), cookie } },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString()
          if (text.includes('data: 3')) {
            request.destroy()
            done()
          }
        })
      },
    )
    request.on('error', (error) => (request.destroyed ? undefined : fail(error)))
  })
  for (let n = 0; n < 50; n++) {
    const found = await world.session.process('preview:main')
    if (found?.tail.includes('events ended')) return
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error('the app never noticed')
})

test('an answer that is cut is not taken for whole', async () => {
  await expect(ask('/cut', { headers: { cookie: await cookieFor(world.owner) } })).rejects.toThrow()
})

describe('a socket', () => {
  const open = (headers: Record<string, string>, { path = '/', protocols = [] as string[] } = {}) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port()}${path}`, protocols, {
        headers: { host: host(), ...headers },
      })
      socket.on('message', (data) => {
        resolve(String(data))
        socket.terminate()
      })
      socket.on('unexpected-response', (_, response) => resolve(String(response.statusCode)))
      socket.on('error', (error) => resolve(error.message))
    })
  const origin = () => `http://${host()}`

  test('reaches the app without our cookie, and an app’s own refusal reaches the browser', async () => {
    const cookie = await cookieFor(world.owner)
    const said = await open({ cookie: `${cookie}; a=1`, origin: origin() })
    expect(said).toContain('"a=1"')
    expect(said).not.toContain('guildhall')
    expect(said).toContain(`http://localhost:${dialled.at(-1)}`)
    expect(await open({ cookie, origin: origin() }, { path: '/refused' })).toBe('403')
  })

  test('needs the cookie and the preview’s own origin; a viewer has the reload channel only', async () => {
    const cookie = await cookieFor(world.owner)
    expect(await open({ origin: origin() })).toBe('401')
    expect(await open({ cookie })).toBe('403')
    expect(await open({ cookie, origin: 'http://evil.example' })).toBe('403')
    expect(await open({ cookie, origin: 'null' })).toBe('403')
    const looking = await cookieFor(viewer)
    expect(await open({ cookie: looking, origin: origin() })).toBe('403')
    expect(await open({ cookie: looking, origin: origin() }, { protocols: ['vite-hmr'] })).toContain('vite-hmr')
    expect(await open({ cookie, origin: origin(), host: host('nobody--main') })).toBe('404')
  })
})

/** Sends bytes as they are; answers the status line. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port(), '127.0.0.1', () => socket.write(text))
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1')
      if (got.includes('\r\n')) socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(got.split('\r\n')[0] ?? ''))
    socket.setTimeout(3_000, () => socket.destroy())
  })
}

test('two hundred crafted hosts and targets never dial anything but the preview’s own port', async () => {
  const cookie = await cookieFor(world.owner)
  const own = dialled.at(-1)!
  dialled = []
  const name = `${label}--main`
  const domain = 'preview.localhost'
  const signs = [
    '@',
    '#',
    '%00',
    '%2f',
    '?',
    '\\',
    ' ',
    '\t',
    ';',
    ',',
    '[::1]',
    '..',
    '.',
    '-',
    '_',
    ':',
    ':0',
    ':65536',
    '$',
    '*',
  ]
  const hosts = signs.flatMap((sign) => [
    `${sign}${name}.${domain}`,
    `${name}${sign}.${domain}`,
    `${name}.${domain}${sign}`,
    `${name}.${sign}${domain}`,
    `127.0.0.1${sign}.${domain}`,
    `evil.example${sign}${name}.${domain}`,
    `${name}.${domain}${sign}evil.example`,
    `${label}--${sign}main.${domain}`,
    `${sign}`,
  ])
  hosts.push(
    domain,
    `.${domain}`,
    `a.${name}.${domain}`,
    `${name}.${domain}.evil.example`,
    '',
    'localhost:22',
    '[::1]:22',
  )
  const targets = [
    'http://127.0.0.1:22/',
    'http://evil.example/',
    '//evil.example/',
    '@evil.example',
    '*',
    'evil.example:22',
    '/%2e%2e/',
    '/\\x',
    '/..//..',
  ]
  const requests = [
    ...hosts.map((each) => `GET / HTTP/1.1\r\nHost: ${each}\r\nCookie: ${cookie}\r\n\r\n`),
    ...targets.map((each) => `GET ${each} HTTP/1.1\r\nHost: ${host()}\r\nCookie: ${cookie}\r\n\r\n`),
    `GET / HTTP/1.1\r\nHost: ${host()}\r\nHost: evil.example\r\nCookie: ${cookie}\r\n\r\n`,
    `CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: ${host()}\r\nCookie: ${cookie}\r\n\r\n`,
  ]
  expect(requests.length).toBeGreaterThanOrEqual(196)
  const statuses = new Map<string, number>()
  for (const request of requests) {
    const status = (await raw(request)).split(' ')[1] ?? 'closed'
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    // An answer of 418 is the API’s: only for hosts that end in another domain.
    if (status === '418') expect(request).not.toMatch(/Host: \S*\.preview\.localhost\r/)
  }
  expect([...new Set(dialled)]).toEqual([own])
}, 60_000)

test('requests with two lengths are refused before anything is dialled', async () => {
  const cookie = await cookieFor(world.owner)
  dialled = []
  const head = `POST / HTTP/1.1\r\nHost: ${host()}\r\nCookie: ${cookie}\r\n`
  for (const lengths of [
    'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    'Content-Length: 4\r\nContent-Length: 5\r\n',
    'Content-Length: 4, 5\r\n',
    'Content-Length: +4\r\n',
    'Transfer-Encoding: chunked, identity\r\n',
    'Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n',
    'Transfer-Encoding : chunked\r\n',
  ]) {
    expect(await raw(`${head}${lengths}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`), lengths).toMatch(
      / 400 /,
    )
  }
  expect(dialled).toEqual([])
})

describe('an app that is not up', () => {
  test('crashed: the page shows the true error, watches, and gives way when it runs again', async () => {
    const { owner, projectId } = world
    const cookie = await cookieFor(owner)
    startCommand = 'node broken.mjs'
    await preview.restart(owner, projectId, 'main')
    await until('crashed')
    const answer = await ask('/', { headers: { cookie, accept: 'text/html' } })
    expect(answer.status).toBe(502)
    expect(answer.text).toContain('The app crashed')
    expect(answer.text).toContain('ended with exit code 3')
    expect(answer.text).toContain('cannot find module left-pad')
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
    const state = JSON.parse((await ask('/__guildhall/state', { headers: { cookie } })).text) as { state: string }
    expect(state.state).toBe('crashed')
    expect((await ask('/__guildhall/state')).status).toBe(401)
    startCommand = 'node app.mjs'
    await preview.start(owner, projectId, 'main')
    await until('ready')
    expect((await ask('/', { headers: { cookie } })).status).toBe(200)
  })

  test('killed while ready: told as crashed at the next look; gone with its sandbox: started anew', async () => {
    const cookie = await cookieFor(world.owner)
    const argv = ['sh', '-c', 'kill -9 $(cat pid)']
    await world.session.exec({ argv, cwd: '/workspace/main' })
    await until('crashed')
    const answer = await ask('/', { headers: { cookie, accept: 'text/html' } })
    expect(answer.text).toContain('exit code 137')
    await preview.start(world.owner, world.projectId, 'main')
    await until('ready')
    await world.session.stopProcess('preview:main')
    world.sandbox.state = 'sleeping'
    await until('asleep')
    expect((await ask('/', { headers: { cookie, accept: 'text/html' } })).text).toContain('Installing')
    world.sandbox.state = 'running'
    await until('ready')
  })

  test('of a project in the archive rests: who comes is told, and wakes nothing', async () => {
    const cookie = await cookieFor(world.owner)
    world.sandbox.state = 'sleeping'
    isArchived = true
    await until('asleep')
    const answer = await ask('/', { headers: { cookie, accept: 'text/html' } })
    expect(answer.text).toContain('This project is in the archive')
    expect(JSON.parse((await ask('/__guildhall/state', { headers: { cookie } })).text)).toMatchObject({
      state: 'asleep',
    })
    isArchived = false
    world.sandbox.state = 'running'
    await until('ready')
  })

  test('stopped: says so, and nobody but the workbench starts it', async () => {
    const cookie = await cookieFor(world.owner)
    await preview.stop(world.owner, world.projectId, 'main')
    const answer = await ask('/', { headers: { cookie, accept: 'text/html' } })
    expect(answer.text).toContain('The preview is stopped')
    expect(await world.session.process('preview:main')).not.toMatchObject({ state: 'running' })
  })

  test('a set-up that fails is the error that is shown', async () => {
    world.repository.setUp = async () => {
      const { AppError } = await import('../../platform/errors.ts')
      throw new AppError('unavailable', '`npm install` ended with 1\nnpm error 404 no-such-package')
    }
    await preview.start(world.owner, world.projectId, 'main')
    await until('crashed')
    expect(await preview.get(world.owner, world.projectId, 'main')).toMatchObject({
      error: '`npm install` ended with 1',
      logTail: 'npm error 404 no-such-package',
    })
  })
})
