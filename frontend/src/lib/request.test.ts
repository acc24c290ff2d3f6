import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createHttpClient, type ProblemError } from './request.ts'

const Answer = z.object({ ok: z.boolean() })
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const problem = (status: number, code: string, detail?: string) =>
  json({ type: 'about:blank', title: code, status, code, detail }, status)

/** A server that knows one valid token at a time; `expire()` makes every token so far old. */
function server() {
  let valid = 'first'
  const calls: { path: string; method: string; headers: Record<string, string> }[] = []
  const count = (path: string) => calls.filter((call) => call.path.startsWith(path)).length
  const fetch = (async (input: string, init: RequestInit) => {
    const headers = init.headers as Record<string, string>
    calls.push({ path: input, method: init.method ?? 'GET', headers })
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (input === '/api/auth/refresh') {
      if (valid === '') return problem(401, 'unauthenticated')
      valid = `renewed${count('/api/auth/refresh')}`
      return json({ accessToken: valid, expiresIn: 900 })
    }
    return headers.authorization === `Bearer ${valid}` ? json({ ok: true }) : problem(401, 'unauthenticated')
  }) as typeof globalThis.fetch
  return { fetch, calls, count, expire: () => (valid = 'other'), end: () => (valid = '') }
}

describe('the way to the API', () => {
  test('twenty requests that meet an old token cause one refresh and all succeed', async () => {
    const api = server()
    const client = createHttpClient({ fetch: api.fetch })
    client.accept({ accessToken: 'first', expiresIn: 900 })
    api.expire()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => client.request(Answer, `/api/thing/${n}`)))
    expect(answers).toEqual(Array.from({ length: 20 }, () => ({ ok: true })))
    expect({ refreshes: api.count('/api/auth/refresh'), things: api.count('/api/thing') }).toEqual({
      refreshes: 1,
      things: 40,
    })
  })

  test('a token about to end is renewed before it is sent', async () => {
    const api = server()
    const client = createHttpClient({ fetch: api.fetch, now: () => 0 })
    client.accept({ accessToken: 'first', expiresIn: 5 })
    await client.request(Answer, '/api/thing')
    expect(api.calls.map(({ path }) => path)).toEqual(['/api/auth/refresh', '/api/thing'])
  })

  test('when the refresh is refused, everyone is told once and the answer is 401', async () => {
    const api = server()
    const client = createHttpClient({ fetch: api.fetch })
    client.accept({ accessToken: 'first', expiresIn: 900 })
    let told = 0
    client.onSignedOut(() => (told += 1))
    api.end()
    const outcomes = await Promise.allSettled([client.request(Answer, '/api/a'), client.request(Answer, '/api/b')])
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as ProblemError).code)).toEqual([
      'unauthenticated',
      'unauthenticated',
    ])
    expect({ told, refreshes: api.count('/api/auth/refresh') }).toEqual({ told: 1, refreshes: 1 })
  })

  test('a wrong password is an answer, not a reason to refresh', async () => {
    const api = server()
    const client = createHttpClient({ fetch: api.fetch })
    await expect(client.request(Answer, '/api/auth/login', { method: 'POST', body: {} })).rejects.toMatchObject({
      code: 'unauthenticated',
    })
    expect(api.count('/api/auth/refresh')).toBe(0)
  })

  test('every request carries the house’s header and what it sends is JSON', async () => {
    const api = server()
    const client = createHttpClient({ fetch: api.fetch })
    client.accept({ accessToken: 'first', expiresIn: 900 })
    await client.request(Answer, '/api/thing', { method: 'POST', body: { a: 1 }, query: { q: 'x y', none: undefined } })
    expect(api.calls).toEqual([
      {
        path: '/api/thing?q=x+y',
        method: 'POST',
        headers: {
          accept: 'application/json',
          'x-guildhall': '1',
          authorization: 'Bearer first',
          'content-type': 'application/json',
        },
      },
    ])
  })

  test('a server that is away is said in plain words', async () => {
    const fetch = () => Promise.reject(new TypeError('fetch failed'))
    await expect(createHttpClient({ fetch }).request(Answer, '/api/thing')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'Guildhall does not answer. Is it still running?',
    })
  })

  test('what must happen once is sent again under the same key until its answer comes', async () => {
    const waits: number[] = []
    const keys: (string | undefined)[] = []
    const answers = [null, new Response('{}', { status: 409, headers: { 'retry-after': '1' } }), json({ ok: true })]
    const fetch = async (_input: unknown, init?: RequestInit) => {
      keys.push((init!.headers as Record<string, string>)['idempotency-key'])
      const next = answers.shift()
      if (!next) throw new TypeError('cut')
      return next
    }
    const client = createHttpClient({ fetch, wait: async (ms) => void waits.push(ms) })
    const options = { method: 'POST', body: {}, once: true } as const
    expect(await client.request(Answer, '/api/thing', options)).toEqual({ ok: true })
    expect([new Set(keys).size, keys.length, keys[0]?.length, waits]).toEqual([1, 3, 36, [500, 1_500]])

    const away = createHttpClient({ fetch: () => Promise.reject(new TypeError('cut')), wait: async () => undefined })
    await expect(away.request(Answer, '/api/thing', options)).rejects.toMatchObject({ code: 'unavailable' })
    const refused = createHttpClient({ fetch: async () => problem(409, 'conflict', 'It is archived') })
    await expect(refused.request(Answer, '/api/thing', options)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('an answer that breaks the contract is a fault, and a page instead of JSON is not shown as one', async () => {
    const odd = createHttpClient({ fetch: async () => json({ ok: 'yes' }) })
    await expect(odd.request(Answer, '/api/thing')).rejects.toBeInstanceOf(z.ZodError)
    const proxy = createHttpClient({ fetch: async () => new Response('<html>Bad gateway', { status: 502 }) })
    await expect(proxy.request(Answer, '/api/thing')).rejects.toMatchObject({ code: 'unavailable' })
  })
})
