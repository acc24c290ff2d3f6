import { Problem } from '@guildhall/protocol/problem.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signAccessToken } from '../features/identity/tokens.ts'
import { freshApp, type TestApp } from '../testing/app.ts'
import { createDice, type Dice, oddBody, oddText, type Schema, valueOf } from '../testing/odd.ts'
import { freshThings } from '../testing/things.ts'
import { freshProject, freshUser } from '../testing/world.ts'

/** `make fuzz` asks for many rounds; a seed that failed is given as FUZZ_SEED and becomes a test of its own. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 12)
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000)

interface Operation {
  method: string
  path: string
  parameters: { name: string; in: string; schema: Schema }[]
  body: Schema | undefined
}

let app: TestApp
let operations: Operation[]
beforeAll(async () => {
  app = await freshApp({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' })
  type Documented = {
    parameters?: Operation['parameters']
    requestBody?: { content: Record<string, { schema: Schema }> }
  }
  const { body } = await app.call('/api/openapi.json')
  operations = Object.entries(body.paths as Record<string, Record<string, Documented>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      ...{ method: method.toUpperCase(), path, parameters },
      body: requestBody?.content['application/json']?.schema,
    })),
  )
})
afterAll(() => app?.close())

/** A project with one of everything, and its owner's token. */
async function world() {
  const owner = await freshUser(app.db)
  const projectId = await freshProject(app.db, owner)
  await app.services.repository.provision(projectId)
  const things = await freshThings(app.db, projectId, owner)
  const ids: Record<string, string> = { projectId, ...things, userId: owner.userId, branch: 'main' }
  return { ids, token: signAccessToken(app.config.jwtSecret, owner) }
}

const asText = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
const inUrl = (text: string, dice: Dice) =>
  dice.chance(0.1) ? dice.pick(['%', '%zz', '%00', '%ED%A0%80', '%2e%2e%2f']) : encodeURIComponent(text.toWellFormed())

function request({ method, path, parameters, body }: Operation, ids: Record<string, string>, dice: Dice) {
  const filled = path.replace(/\{(\w+)\}/g, (_all, name: string) =>
    ids[name] !== undefined && dice.chance(0.85) ? ids[name] : inUrl(oddText(dice), dice),
  )
  const query = parameters
    .filter((parameter) => parameter.in === 'query' && dice.chance(0.7))
    .map(({ name, schema }) => `${name}=${inUrl(asText(valueOf(schema, dice, 0.3)), dice)}`)
  const url = query.length > 0 ? `${filled}?${query.join('&')}` : filled
  if (method === 'GET') return { method, url }
  if (dice.chance(0.3)) return { method, url, ...oddBody(dice) }
  return { method, url, payload: JSON.stringify(body ? valueOf(body, dice) : {}), type: 'application/json' }
}

/** Why this answer may not be given; null when it may. */
function fault({ statusCode, headers, body }: Awaited<ReturnType<TestApp['server']['app']['inject']>>): string | null {
  if (statusCode < 400) return null
  if (headers['content-type'] !== 'application/problem+json; charset=utf-8') return `answers ${headers['content-type']}`
  const problem = Problem.safeParse(JSON.parse(body))
  if (!problem.success || problem.data.status !== statusCode) return `is no problem: ${body.slice(0, 200)}`
  // What this installation was not given: an engine, and a sandbox that is there.
  if (statusCode === 503 && ['no_engine', 'unavailable'].includes(problem.data.code)) return null
  return statusCode >= 500 ? `broke with ${statusCode}` : null
}

test(
  `whatever is sent to whichever route, it answers or says what is wrong (seed ${seed})`,
  async () => {
    const dice = createDice(seed)
    const faults: string[] = []
    const statuses = new Set<number>()
    for (const operation of operations) {
      const { ids, token } = await world()
      // Passwords cost a quarter of a second each, by design.
      const times = /\/auth\/(register|login|change-password)/.test(operation.path) ? Math.min(rounds, 6) : rounds
      for (let round = 0; round < times; round++) {
        const { method, url, ...rest } = request(operation, ids, dice)
        const { payload, type } = { payload: undefined, type: undefined, ...rest }
        const headers = { authorization: `Bearer ${token}`, ...(type && { 'content-type': type }) }
        const answer = await app.server.app.inject({
          method: method as 'GET',
          url,
          headers,
          ...(payload !== undefined && { payload }),
        })
        statuses.add(answer.statusCode)
        const wrong = fault(answer)
        if (wrong) faults.push(`${method} ${url.slice(0, 300)} ${String(payload ?? '').slice(0, 300)} ${wrong}`)
      }
    }
    expect(faults).toEqual([])
    expect(operations.length).toBeGreaterThan(40)
    // It reached what it was to reach: answers, and refusals of several kinds.
    for (const status of [200, 400, 404, 413, 415, 422]) expect([...statuses]).toContain(status)
  },
  rounds * 4_000 + 60_000,
)

test('a number beyond what the database counts in is invalid', async () => {
  const { ids, token } = await world()
  const messages = `/api/conversations/${ids['conversationId']}/messages?before=${2 ** 31}`
  expect((await app.call(messages, { token })).body).toMatchObject({ status: 422, code: 'invalid' })
  const body = { name: 'Other', version: 2 ** 31 }
  const change = await app.call(`/api/projects/${ids['projectId']}`, { method: 'PATCH', token, body })
  expect(change.body).toMatchObject({ status: 422, code: 'invalid' })
})

describe('lists', () => {
  test('a cursor that was tampered with is refused, on every list that gives one', async () => {
    const { ids, token } = await world()
    const person = { token }
    for (let count = 0; count < 3; count++)
      await app.call('/api/projects', { method: 'POST', ...person, body: { name: `P ${count}` } })
    const lists = ['/api/projects?limit=1', `/api/projects/${ids['projectId']}/git/log?limit=1`]
    for (const list of lists) {
      const { body } = await app.call(list, person)
      const cursors: string[] = ['x', '_', '1_1', '-', `${'9'.repeat(8)}`, '2026-01-01T00:00:00.000Z_' + '-'.repeat(36)]
      if (body.nextCursor) {
        expect((await app.call(`${list}&cursor=${encodeURIComponent(body.nextCursor)}`, person)).status).toBe(200)
        cursors.push(`${body.nextCursor}0`, body.nextCursor.slice(0, -1), body.nextCursor.replace(/\d/, 'x'))
      }
      for (const cursor of cursors) {
        const answer = await app.call(`${list}&cursor=${encodeURIComponent(cursor)}`, person)
        expect([cursor, answer.status, answer.body.code]).toEqual([cursor, 400, 'bad_request'])
      }
    }
  })

  test('200 requests at once are all answered', async () => {
    const { ids, token } = await world()
    const paths = operations
      .filter(({ method, path }) => method === 'GET' && !path.includes('{taskId}') && !path.includes('{runId}'))
      .map(({ path }) => path.replace(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? 'main'))
      .filter((path) =>
        /projects$|conversations|tasks$|agents$|runs$|members$|events$|log$|branches$|sessions$/.test(path),
      )
    expect(paths.length).toBeGreaterThan(7)
    const began = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => app.call(paths[index % paths.length]!, { token })),
    )
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([200])
    expect(performance.now() - began).toBeLessThan(15_000)
  })
})
