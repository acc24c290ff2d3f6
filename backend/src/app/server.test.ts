import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { freshApp, type TestApp } from '../testing/app.ts'
import { freshProject, freshUser } from '../testing/world.ts'

let app: TestApp
beforeAll(async () => {
  app = await freshApp()
})
afterAll(() => app.close())

const password = 'correct horse battery'
let count = 0
async function signUp() {
  const username = `grace-${++count}`
  const body = { email: `${username}@example.com`, username, password }
  expect((await app.call('/api/auth/register', { method: 'POST', body })).status).toBe(201)
  const signedIn = await app.call('/api/auth/login', { method: 'POST', body: { login: username, password } })
  const cookie = signedIn.headers.get('set-cookie')!
  return { username, token: signedIn.body.accessToken as string, cookie, user: signedIn.body.user }
}

describe('every answer', () => {
  test('carries a request id; a failure is a problem with the same one and no stack', async () => {
    const { status, headers, body } = await app.call('/api/nowhere', { headers: { 'x-request-id': 'abcd-1234' } })
    expect({ status, type: headers.get('content-type') }).toEqual({
      status: 404,
      type: 'application/problem+json; charset=utf-8',
    })
    expect(headers.get('x-request-id')).toBe('abcd-1234')
    expect(body).toEqual({
      type: 'urn:guildhall:problem:not_found',
      title: 'Not Found',
      status: 404,
      code: 'not_found',
      detail: 'This address does not exist',
      requestId: 'abcd-1234',
    })
    const odd = await app.call('/api/health/live', { headers: { 'x-request-id': 'a b' } })
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('names the fields that are wrong, unknown ones too', async () => {
    const body = { email: 'no', username: 'x', password: 'short', role: 'admin' }
    const answer = await app.call('/api/auth/register', { method: 'POST', body })
    expect(answer.status).toBe(422)
    expect(answer.body).toMatchObject({ code: 'invalid', fields: { role: 'is not known' } })
    expect(Object.keys(answer.body.fields).sort()).toEqual(['email', 'password', 'role', 'username'])
  })

  test('refuses what is no JSON, not of that type, or too large', async () => {
    const post = (body: string, type = 'application/json') =>
      app.call('/api/auth/login', { method: 'POST', body, headers: { 'content-type': type } })
    expect((await post('{')).body).toMatchObject({ status: 400, code: 'bad_request' })
    expect((await post('{"__proto__":{}}')).body).toMatchObject({ status: 400, code: 'bad_request' })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/xml']) {
      expect((await post('a=b', type)).body).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    }
    expect((await post(JSON.stringify('x'.repeat(1_100_000)))).body).toMatchObject({ code: 'payload_too_large' })
  })

  test('is the same under /api/v1', async () => {
    const { token } = await signUp()
    for (const path of ['/auth/me', '/projects', '/projects/templates', '/models', '/nowhere']) {
      const [plain, versioned] = [await app.call(`/api${path}`, { token }), await app.call(`/api/v1${path}`, { token })]
      const { requestId: _one, ...left } = plain.body
      const { requestId: _other, ...right } = versioned.body
      expect([versioned.status, right]).toEqual([plain.status, left])
    }
  })

  test('keeps other sites out: no CORS grant, no writes, strict headers', async () => {
    const origin = 'https://evil.example'
    const read = await app.call('/api/auth/options', { headers: { origin } })
    expect(read.headers.get('access-control-allow-origin')).toBeNull()
    for (const foreign of [origin, 'null', `${app.origin}.evil.example`]) {
      const body = { login: 'a', password: 'b' }
      const write = await app.call('/api/auth/login', { method: 'POST', body, headers: { origin: foreign } })
      expect(write.status).toBe(403)
    }
    const csp = read.headers.get('content-security-policy')!
    const { port } = new URL(app.origin)
    for (const part of [
      "default-src 'self'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "worker-src 'self' blob:",
      `ws://localhost:${port}`,
      `frame-src http://*.preview.localhost:${port}`,
    ]) {
      expect(csp).toContain(part)
    }
    expect(read.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('sessions over HTTP', () => {
  test('the refresh cookie is locked away, rotates, and needs the header', async () => {
    const { cookie } = await signUp()
    expect(cookie).toMatch(/^__Host-guildhall_refresh=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
    const jar = cookie.split(';', 1)[0]!
    const refresh = (headers: Record<string, string>) => app.call('/api/auth/refresh', { method: 'POST', headers })
    expect((await refresh({ cookie: jar })).status).toBe(403)
    const fresh = await refresh({ cookie: jar, 'x-guildhall': '1' })
    expect(fresh.body).toMatchObject({ expiresIn: 900 })
    const replay = await refresh({ cookie: jar, 'x-guildhall': '1' })
    expect(replay.status).toBe(401)
    expect(replay.headers.get('set-cookie')).toContain('__Host-guildhall_refresh=;')
    expect((await app.call('/api/auth/me', { token: fresh.body.accessToken })).status).toBe(401)
  })

  test('a profile takes a name and refuses every other field', async () => {
    const { token } = await signUp()
    const put = (body: unknown) => app.call('/api/auth/profile', { method: 'PUT', token, body })
    expect((await put({ displayName: 'Lena K' })).body).toMatchObject({ user: { displayName: 'Lena K', role: 'user' } })
    for (const extra of [{ role: 'admin' }, { id: 'x' }, { hasPassword: false }])
      expect((await put({ displayName: 'Lena', ...extra })).status).toBe(422)
    expect((await app.call('/api/auth/me', { token })).body).toMatchObject({
      user: { displayName: 'Lena K', role: 'user' },
    })
  })

  test('logout takes the access token and the open socket along', async () => {
    const { token } = await signUp()
    const { ticket } = (await app.call('/api/auth/ws-ticket', { method: 'POST', token })).body
    const { port } = app.server.app.server.address() as AddressInfo
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { origin: app.origin } })
    const frames: string[] = []
    let closed = 0
    socket.on('message', (data) => frames.push((data as Buffer).toString()))
    socket.on('close', (code) => (closed = code))
    await new Promise((resolve) => socket.on('open', resolve))
    socket.send(JSON.stringify({ op: 'hello', ticket }))
    await expect.poll(() => frames[0]).toContain('welcome')
    expect((await app.call('/api/auth/logout', { method: 'POST', token, body: '' })).status).toBe(204)
    expect((await app.call('/api/auth/me', { token })).status).toBe(401)
    await expect.poll(() => closed, { timeout: 5_000 }).toBe(4403)
  })

  test('the link works from this machine only, never through a proxy', async () => {
    const token = (await app.services.identity.createLink())!
    const use = (headers: Record<string, string> = {}) =>
      app.call('/api/auth/link', { method: 'POST', body: { token }, headers })
    expect((await use({ 'x-forwarded-for': '127.0.0.1' })).status).toBe(403)
    expect((await use()).body).toMatchObject({ user: { username: 'admin', hasPassword: false } })
    expect((await use()).body).toMatchObject({ status: 410, code: 'gone' })
  })

  test('guessing at one account is slowed, and says for how long', async () => {
    const body = { login: 'somebody', password: 'guess' }
    const post = () => app.call('/api/auth/login', { method: 'POST', body })
    const answers = await Promise.all(Array.from({ length: 24 }, post))
    const slowed = answers.filter(({ status }) => status === 429)
    expect(slowed.length).toBe(4)
    expect(slowed[0]!.body).toMatchObject({ code: 'rate_limited' })
    expect(Number(slowed[0]!.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('health and documents', () => {
  test('readiness names every part; what is not set up is off, not failing', async () => {
    expect((await app.call('/api/health/live')).body).toMatchObject({ status: 'ok' })
    const { status, body } = await app.call('/api/health/ready')
    expect(status).toBe(200)
    expect(body.parts.map(({ name, status: each }: { name: string; status: string }) => [name, each])).toEqual([
      ['PostgreSQL', 'ok'],
      ['queue', 'ok'],
      ['Redis', 'off'],
      ['container engine', 'off'],
      ['sandbox walls', 'off'],
      ['models', 'off'],
    ])
  })

  test('OpenAPI 3.1 lists every route that is not hidden, with its problem answer', async () => {
    const { body } = await app.call('/api/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    )
    const wanted = app.server.routes
      .filter(({ method, url }) => method !== 'HEAD' && url.startsWith('/api/') && !url.endsWith('/'))
      .map(({ method, url }) => `${method} ${url}`)
      .filter((route) => route !== 'GET /api/openapi.json' && route !== 'GET /api/docs')
    expect(wanted.filter((route) => !documented.includes(route) && !documented.includes(`${route}/`))).toEqual([])
    const login = body.paths['/api/auth/login'].post
    expect(Object.keys(login.responses.default.content)).toEqual(['application/problem+json'])
    expect(login.requestBody.content['application/json'].schema.required).toContain('login')
    const docs = await app.call('/api/docs')
    expect(docs.text).toContain('/api/auth/login')
  })
})

test('who puts a project into the archive stops its crew', async () => {
  const env = { ANTHROPIC_API_KEY: 'sk-none', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' }
  const house = await freshApp(env)
  try {
    const owner = await freshUser(house.db)
    const projectId = await freshProject(house.db, owner)
    const { runId } = await house.services.chat.send(owner, projectId, { content: 'Build me a shop' })
    await house.services.projects.archive(owner, projectId)
    expect((await house.services.agents.run(owner, runId)).run.state).toBe('cancelled')
  } finally {
    await house.close()
  }
})
