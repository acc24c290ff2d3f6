import { createHash } from 'node:crypto'
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { afterEach, expect, test } from 'vitest'
import { newId } from '../../../platform/ids.ts'
import { createLog } from '../../../platform/log.ts'
import type { Dial } from './connect.ts'
import { createEgress, type EgressOptions, type Refusal } from './egress.ts'
import { disguises, inward } from './disguises.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

type Answer = { status: number; text: string; headers: http2.IncomingHttpHeaders }

/** The sandbox's end: streams opened at will, as code inside could by itself. */
async function sandboxWith(options: Partial<EgressOptions> = {}) {
  const cacheDir = options.cacheDir ?? (await mkdtemp(join(tmpdir(), 'egress-')))
  cleanUps.push(() => rm(cacheDir, { recursive: true, force: true }))
  const refusals: string[] = []
  const egress = createEgress({
    npmRegistry: null,
    pypiIndex: null,
    cacheDir,
    allowedHosts: () => [],
    onRefused: (_projectId, { target, reason }) => void refusals.push(`${target} | ${reason}`),
    log: createLog({ level: 'silent' }),
    ...options,
  })
  const [inside, outside] = duplexPair()
  const projectId = newId<ProjectId>()
  egress.attach(projectId, http2.performServerHandshake(outside))
  const client = http2.connect('http://keeper', { createConnection: () => inside })
  cleanUps.push(() => egress.close())
  cleanUps.push(() => client.destroy())
  const ask = (headers: http2.OutgoingHttpHeaders, body?: string) =>
    new Promise<Answer>((done, fail) => {
      const stream = client.request(headers, { endStream: false })
      const chunks: Buffer[] = []
      let head: http2.IncomingHttpHeaders & { ':status'?: number } = {}
      stream.on('response', (answer) => {
        head = answer
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        done({ status: head[':status'] ?? 0, text: Buffer.concat(chunks).toString('utf8'), headers: head })
      })
      stream.on('error', fail)
      if (headers[':method'] !== 'CONNECT') stream.end(body)
    })
  const get = (path: string, headers = {}) => ask({ ':method': 'GET', ':path': path, ...headers })
  return { ask, get, refusals, egress, client, projectId }
}

/** A registry as on the network: one package `left`, whose document and file are counted. */
async function registry({ lies = false, tag }: { lies?: boolean; tag?: string } = {}) {
  const file = Buffer.from('a package file')
  const integrity = `sha512-${createHash('sha512').update(file).digest('base64')}`
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const origin = `http://${request.headers.host}`
    if (request.url === '/reg/left' || request.url === '/reg/@of%2fleft') {
      const name = request.url === '/reg/left' ? 'left' : '@of/left'
      const dist = { tarball: `${origin}/elsewhere/${name}.tgz`, integrity, shasum: '' }
      const scripts = { postinstall: 'x' }
      const versions = { '1.0.0': { name, version: '1.0.0', readme: 'long', scripts, dependencies: { a: '1' }, dist } }
      if (tag && request.headers['if-none-match'] === tag) return response.writeHead(304).end()
      response.writeHead(200, { 'content-encoding': 'gzip', ...(tag ? { etag: tag } : {}) })
      const document = { name, 'dist-tags': { latest: '1.0.0' }, versions, readme: 'long', time: { modified: 'then' } }
      return response.end(gzipSync(JSON.stringify(document)))
    }
    if (request.url?.startsWith('/elsewhere/')) return response.end(lies ? 'something else' : file)
    if (request.url === '/reg/away')
      return response.writeHead(302, { location: `${origin.replace('127.0.0.1', '[::1]')}/` }).end()
    return response.writeHead(404).end('{}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const stop = () => new Promise((done) => server.close(done).closeAllConnections())
  cleanUps.push(stop)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/reg/`, asked, stop, file: file.toString() }
}

const short = { accept: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*' }

test('a document names its files canonically, short where npm asks for the short form', async () => {
  const upstream = await registry()
  const { get } = await sandboxWith({ npmRegistry: upstream.url })
  const document = JSON.parse((await get('/@of%2fleft', short)).text)
  expect(document).toEqual({
    name: '@of/left',
    'dist-tags': { latest: '1.0.0' },
    modified: 'then',
    versions: {
      '1.0.0': {
        name: '@of/left',
        version: '1.0.0',
        dependencies: { a: '1' },
        hasInstallScript: true,
        dist: {
          tarball: expect.stringMatching(/\.org\/@of\/left\/-\/left-1\.0\.0\.tgz$/),
          integrity: expect.any(String),
          shasum: '',
        },
      },
    },
  })
  expect(document.versions['1.0.0'].dist.tarball).not.toContain('127.0.0.1')
  expect(JSON.parse((await get('/left')).text).readme).toBe('long')
})

test('what was fetched once is served again while the upstream is down', async () => {
  const upstream = await registry()
  const { get } = await sandboxWith({ npmRegistry: upstream.url })
  expect((await get('/left/-/left-1.0.0.tgz')).text).toBe(upstream.file)
  const before = upstream.asked.length
  const again = await get('/left/-/left-1.0.0.tgz')
  expect([again.text, upstream.asked.length]).toEqual([upstream.file, before])
  await upstream.stop()
  expect((await get('/left/-/left-1.0.0.tgz')).text).toBe(upstream.file)
  const document = await get('/left', short)
  expect(document.status).toBe(200)
  expect((await get('/left', { ...short, 'if-none-match': document.headers.etag })).status).toBe(304)
  expect((await get('/never-seen', short)).status).toBe(503)
})

test('an old document is confirmed with the upstream, and served stale when that is gone', async () => {
  const upstream = await registry({ tag: '"v1"' })
  const cacheDir = await mkdtemp(join(tmpdir(), 'egress-'))
  const first = await sandboxWith({ npmRegistry: upstream.url, cacheDir })
  const known = await first.get('/left', short)
  await age(cacheDir)
  expect((await first.get('/left', short)).text).toBe(known.text)
  expect(upstream.asked.filter((line) => line === 'GET /reg/left').length).toBe(2)
  await age(cacheDir)
  await upstream.stop()
  expect((await first.get('/left', short)).text).toBe(known.text)
})

test('a file that is not what its document says is never passed on', async () => {
  const upstream = await registry({ lies: true })
  const { get } = await sandboxWith({ npmRegistry: upstream.url })
  const answer = await get('/left/-/left-1.0.0.tgz')
  expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('digest')])
})

test('ten requests for one file ask the upstream once', async () => {
  const upstream = await registry()
  const { get } = await sandboxWith({ npmRegistry: upstream.url })
  const answers = await Promise.all(Array.from({ length: 10 }, () => get('/left/-/left-1.0.0.tgz')))
  expect(answers.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, () => upstream.file))
  expect(upstream.asked).toEqual(['GET /reg/left', 'GET /elsewhere/left.tgz'])
})

test('nothing can be sent to a mirror, and each try is told', async () => {
  const upstream = await registry()
  const { ask, refusals } = await sandboxWith({ npmRegistry: upstream.url })
  const tries = ['PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'get', 'PROPFIND']
  for (const method of tries) {
    const answer = await ask({ ':method': method, ':path': '/left' }, 'secrets '.repeat(50_000))
    expect([method, answer.status]).toEqual([method, 405])
  }
  expect(refusals).toEqual(tries.map((method) => `${method} /left | The package mirrors are read-only`))
  expect(upstream.asked).toEqual([])
})

test('no path leads anywhere but to packages', async () => {
  const upstream = await registry()
  const { get, refusals } = await sandboxWith({ npmRegistry: upstream.url })
  const paths = ['/', '/../secret', '/%2e%2e/secret', '/..%2fsecret', '/@of/../left', '/left/../../x', '//127.0.0.1/x']
  paths.push(
    '/-/npm/v1/user',
    '/-/v1/search?text=x',
    '/left/-/../../x.tgz',
    '/left/-/..%2fx.tgz',
    '/a/b/c',
    '/@of%2f..',
  )
  for (const path of paths) expect([path, (await get(path)).status]).toEqual([path, 404])
  expect(upstream.asked).toEqual([])
  expect((await get('/x', { 'guildhall-door': 'proxy', ':authority': 'example.com' })).status).toBe(403)
  expect(refusals).toEqual(['example.com/x | Plain http is not passed on; use https'])
  expect((await get('/away', short)).status).toBe(503)
})

test('120 ways to reach inward through the proxy are refused and told, even when an owner allowed them', async () => {
  let accepted = 0
  const listener = net.createServer((socket) => {
    accepted++
    socket.destroy()
  })
  await new Promise<void>((done) => listener.listen(0, '::', done))
  cleanUps.push(() => listener.close())
  const { port } = listener.address() as AddressInfo
  const names = new Map(inward.map((address, index) => [`n${index}.example.com`, address]))
  // What no HTTP/2 client can put into :authority does not reach us; the parser's own test has those.
  const sendable = disguises.filter((host) => /^[\x21-\x7e]*$/.test(host))
  const targets = [...sendable, ...names.keys()].map((host) => `${host}:${port}`)
  const { ask, refusals } = await sandboxWith({
    allowedHosts: () => targets,
    resolve: async (host) => [names.get(host)!],
    maxToldPerMinute: 1_000,
  })
  expect(targets.length).toBeGreaterThanOrEqual(120)
  let told = 0
  for (const target of targets) {
    // Some spellings are no authority at all for HTTP/2 itself: their stream is reset before it gets to us.
    const status = await ask({ ':method': 'CONNECT', ':authority': target }).then(
      (answer) => answer.status,
      (error: Error) => error.message.includes('PROTOCOL_ERROR') && 'reset',
    )
    expect([target, status]).toEqual([target, status === 'reset' ? 'reset' : 403])
    if (status === 403) told++
  }
  expect([accepted, refusals.length]).toEqual([0, told])
  expect(told).toBeGreaterThan(100)
})

test('by default no host is allowed, and a name is not even resolved', async () => {
  let resolved = 0
  const { ask, refusals } = await sandboxWith({ resolve: async () => [String(resolved++)] })
  expect((await ask({ ':method': 'CONNECT', ':authority': 'secret-in-a-label.example.com:443' })).status).toBe(403)
  expect([resolved, refusals]).toEqual([
    0,
    ['secret-in-a-label.example.com:443 | This host is not on the list of the project'],
  ])
})

/** The network behind a public address, played by an echo on loopback. */
async function internet() {
  const dialled: string[] = []
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  cleanUps.push(() => server.close())
  const dial: Dial = async (address, port) => {
    dialled.push(`${address} ${port}`)
    return net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  }
  return { dial, dialled }
}

const connectTo = (client: http2.ClientHttp2Session, authority: string) => {
  const stream = client.request({ ':method': 'CONNECT', ':authority': authority })
  cleanUps.push(() => stream.destroy())
  const status = new Promise<number>((done) => stream.on('response', (answer) => done(Number(answer[':status']))))
  return { stream, status }
}

test('code that tries the same in a loop is told about once a minute', async () => {
  const { ask, refusals } = await sandboxWith()
  for (let i = 0; i < 20; i++) await ask({ ':method': 'CONNECT', ':authority': 'example.com:443' })
  expect(refusals).toEqual(['example.com:443 | This host is not on the list of the project'])
  for (let i = 0; i < 300; i++) await ask({ ':method': 'CONNECT', ':authority': `n${i}.example.com:443` })
  expect(refusals.length).toBe(30)
})

test('a refusal names what an owner could allow, and only where that would help', async () => {
  const refusals: Refusal[] = []
  const { ask } = await sandboxWith({
    allowedHosts: () => ['inward.example.com:443'],
    resolve: async () => ['10.0.0.7'],
    onRefused: (_projectId, refusal) => void refusals.push(refusal),
  })
  for (const authority of ['API.Example.com:8443', '127.0.0.1:80', 'inward.example.com:443', 'localhost:5432']) {
    expect((await ask({ ':method': 'CONNECT', ':authority': authority })).status).toBe(403)
  }
  await ask({ ':method': 'PUT', ':path': '/left' })
  expect(refusals.map(({ target, allow }) => [target, allow])).toEqual([
    ['API.Example.com:8443', 'api.example.com:8443'],
    ['127.0.0.1:80', null],
    ['inward.example.com:443', null],
    ['localhost:5432', null],
    ['PUT /left', null],
  ])
})

test('a host that was just allowed and leads inward is told about once more', async () => {
  const allowed: string[] = []
  const { ask, refusals } = await sandboxWith({ allowedHosts: () => allowed, resolve: async () => ['169.254.169.254'] })
  const connect = () => ask({ ':method': 'CONNECT', ':authority': 'metadata.example.com:80' })
  await connect()
  allowed.push('metadata.example.com:80')
  for (let i = 0; i < 3; i++) await connect()
  expect(refusals).toEqual([
    'metadata.example.com:80 | This host is not on the list of the project',
    'metadata.example.com:80 | metadata.example.com resolves to 169.254.169.254, which is not an address of the public internet',
  ])
})

test('an address that does not answer leaves the next one that was checked', async () => {
  const { dial } = await internet()
  const tried: string[] = []
  const { client } = await sandboxWith({
    allowedHosts: () => ['api.example.com:443'],
    resolve: async () => ['2606:4700::1', '8.8.8.8'],
    dial: (address, port) => {
      tried.push(address)
      return address.includes(':') ? Promise.reject(new Error('no route')) : dial(address, port)
    },
  })
  expect(await connectTo(client, 'api.example.com:443').status).toBe(200)
  expect(tried).toEqual(['2606:4700::1', '8.8.8.8'])
})

test('a connection ends when its host is taken off the list, and what it carried is counted', async () => {
  const { dial } = await internet()
  const allowed = new Set(['api.example.com:443', 'other.example.com:443'])
  const carried: unknown[] = []
  const { client, egress, projectId } = await sandboxWith({
    allowedHosts: () => [...allowed],
    resolve: async () => ['8.8.8.8'],
    onTraffic: (_projectId, target, traffic) => void carried.push([target, traffic]),
    dial,
  })
  const [gone, stays] = [connectTo(client, 'api.example.com:443'), connectTo(client, 'other.example.com:443')]
  expect([await gone.status, await stays.status]).toEqual([200, 200])
  const echo = new Promise<void>((done) => gone.stream.once('data', () => done()))
  gone.stream.write('hello')
  await echo
  const ended = new Promise((done) => gone.stream.on('close', done))
  gone.stream.on('error', () => undefined)
  allowed.delete('api.example.com:443')
  await egress.recheck(projectId)
  await ended
  await expect.poll(() => carried).toEqual([['api.example.com:443', { sentBytes: 5, receivedBytes: 5 }]])
  expect(stays.stream.destroyed).toBe(false)
})

test('a crowd does not pass the bound of connections together', async () => {
  const { dial } = await internet()
  const { client } = await sandboxWith({
    allowedHosts: () => ['api.example.com:443'],
    // Slow enough that all of them are looked at before the first one stands.
    resolve: () => new Promise((done) => setTimeout(() => done(['8.8.8.8']), 50)),
    dial,
    maxConnections: 3,
  })
  const crowd = Array.from({ length: 12 }, () => connectTo(client, 'api.example.com:443').status)
  const statuses = await Promise.all(crowd)
  expect(statuses.filter((status) => status === 200)).toHaveLength(3)
})

test('an allowed host is reached at the address that was checked, resolved once', async () => {
  const { dial, dialled } = await internet()
  const answers = [['8.8.8.8'], ['127.0.0.1']]
  const resolve = async () => answers.shift()!
  const { client, refusals } = await sandboxWith({ allowedHosts: () => ['api.example.com:443'], resolve, dial })
  const { stream, status } = connectTo(client, 'API.example.com:443')
  expect(await status).toBe(200)
  const echo = new Promise<string>((done) => stream.on('data', (chunk: Buffer) => done(chunk.toString())))
  stream.write('hello')
  expect(await echo).toBe('hello')
  // A second look at the name gives an inward address: that is a new check, and a refusal.
  expect(await connectTo(client, 'api.example.com:443').status).toBe(403)
  expect([dialled, refusals.length]).toEqual([['8.8.8.8 443'], 1])
})

test('connections and bytes of a day are bounded by project', async () => {
  const { dial } = await internet()
  const { client } = await sandboxWith({
    allowedHosts: () => ['api.example.com:443'],
    resolve: async () => ['8.8.8.8'],
    dial,
    maxConnections: 2,
    maxBytesPerDay: 100_000,
  })
  const first = connectTo(client, 'api.example.com:443')
  const second = connectTo(client, 'api.example.com:443')
  expect([await first.status, await second.status]).toEqual([200, 200])
  expect(await connectTo(client, 'api.example.com:443').status).toBe(403)
  const ended = new Promise((done) => first.stream.on('close', done))
  first.stream.on('error', () => undefined)
  first.stream.write(Buffer.alloc(200_000))
  await ended
  const after = connectTo(client, 'api.example.com:443')
  expect(await after.status).toBe(403)
})

test('a Python index in a folder is mirrored, and nothing beside it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'egress-'))
  cleanUps.push(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'index/simple/six'), { recursive: true })
  await mkdir(join(folder, 'index/files'))
  await writeFile(join(folder, 'index/files/six-1.0.whl'), 'wheel')
  await writeFile(join(folder, 'secret-1.0.whl'), 'secret')
  const links = ['../../files/six-1.0.whl#sha256=' + 'a'.repeat(64), '../../../secret-1.0.whl', 'javascript:x-1.whl']
  const page = links.map((href) => `<a href="${href}" data-requires-python="&gt;=3">x</a>`).join('\n')
  await writeFile(join(folder, 'index/simple/six/index.html'), page)
  const { get } = await sandboxWith({ pypiIndex: join(folder, 'index/simple') })
  const shown = await get('/pypi/simple/six/')
  expect(shown.text).toContain(
    `<a href="/pypi/files/six/six-1.0.whl#sha256=${'a'.repeat(64)}" data-requires-python="&gt;=3">`,
  )
  expect(shown.text).not.toContain('javascript')
  expect((await get('/pypi/files/six/six-1.0.whl')).text).toBe('wheel')
  expect((await get('/pypi/files/six/secret-1.0.whl')).status).toBe(404)
  expect((await get('/pypi/simple/none/')).status).toBe(404)
})

/** Makes every cached document look as if it had been fetched long ago. */
async function age(folder: string) {
  for await (const path of glob(join(folder, '*/*.json'))) {
    await writeFile(path, (await readFile(path, 'utf8')).replace(/"fetchedAt":\d+/, '"fetchedAt":1'))
  }
}
