import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLog } from '../platform/log.ts'
import { signAccessToken } from '../features/identity/tokens.ts'
import { newId } from '../platform/ids.ts'
import { freshApp, type TestApp } from '../testing/app.ts'
import { freshProject, freshUser } from '../testing/world.ts'
import { createServer } from './server.ts'

let app: TestApp
beforeAll(async () => {
  // No worker runs here, so nobody calls this model.
  app = await freshApp({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' })
})
afterAll(() => app?.close())

let person: Awaited<ReturnType<typeof freshUser>>
let token: string
beforeEach(async () => {
  person = await freshUser(app.db)
  token = signAccessToken(app.config.jwtSecret, person)
})

const post = (path: string, body: unknown, key: string, as = token) =>
  app.call(path, { method: 'POST', token: as, body, headers: { 'idempotency-key': key } })

async function chatRoom() {
  const projectId = await freshProject(app.db, person)
  const [conversation] = (await app.call(`/api/projects/${projectId}/conversations`, { token })).body.items
  return {
    say: (content: string, key: string) => post(`/api/projects/${projectId}/chat`, { content }, key),
    async said(): Promise<string[]> {
      const { body } = await app.call(`/api/conversations/${conversation.id}/messages`, { token })
      return body.items.map(({ content }: { content: string }) => content)
    },
  }
}
const statuses = (answers: { status: number }[]) => [...new Set(answers.map(({ status }) => status))].sort()

describe('a write with a key', () => {
  test('sent fifty times at once is one message; each twin hears the same answer or that it is under way', async () => {
    const { say, said } = await chatRoom()
    const key = randomUUID()
    const answers = await Promise.all(Array.from({ length: 50 }, () => say('Make it blue', key)))
    expect(statuses(answers).every((status) => status === 202 || status === 409)).toBe(true)
    const accepted = answers.filter(({ status }) => status === 202)
    expect(new Set(accepted.map(({ text }) => text)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('retry-after')).every(({ status }) => status === 409)).toBe(true)
    expect(await said()).toEqual(['Make it blue'])

    const late = await say('Make it blue', key)
    expect([late.status, late.text, late.headers.get('idempotency-replayed')]).toEqual([202, accepted[0]!.text, 'true'])
    expect(late.headers.get('content-type')).toBe(accepted[0]!.headers.get('content-type'))
    expect(await said()).toEqual(['Make it blue'])
  })

  test('sent to two processes at once is carried out by one of them', async () => {
    const { services, db, config } = app
    const other = await createServer({ services, db, config, log: createLog({ level: 'silent' }) })
    try {
      const projectId = await freshProject(db, person)
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      for (let round = 0; round < 5; round++) {
        const key = randomUUID()
        const send = ({ app }: Pick<typeof other, 'app'>) =>
          app.inject({
            method: 'POST',
            url: `/api/projects/${projectId}/chat`,
            headers: { ...headers, 'idempotency-key': key },
            payload: JSON.stringify({ content: `Round ${round}` }),
          })
        const answers = await Promise.all([send(app.server), send(other), send(app.server), send(other)])
        expect(answers.every(({ statusCode }) => statusCode === 202 || statusCode === 409)).toBe(true)
      }
      const { rows } = await db.system((tx) =>
        tx.execute(sql`select content from agent_messages where project_id = ${projectId} order by seq`),
      )
      expect(rows).toEqual([0, 1, 2, 3, 4].map((round) => ({ content: `Round ${round}` })))
    } finally {
      await other.app.close()
    }
  })

  test('makes one project, whatever the prefix; without a key each request is its own', async () => {
    const key = randomUUID()
    const body = { name: 'Twice' }
    const [one, two] = [await post('/api/projects', body, key), await post('/api/v1/projects', body, key)]
    expect([one.status, two.status, two.body.project.id]).toEqual([201, 201, one.body.project.id])
    await app.call('/api/projects', { method: 'POST', token, body })
    expect((await app.call('/api/projects', { token })).body.items.length).toBe(2)
  })

  test('is refused for another request, and is nothing to another person', async () => {
    const { say, said } = await chatRoom()
    const key = randomUUID()
    await say('First', key)
    expect((await say('Second', key)).body).toMatchObject({ status: 422, code: 'invalid' })
    expect((await post('/api/projects', { name: 'Third' }, key)).status).toBe(422)
    expect(await said()).toEqual(['First'])
    const stranger = signAccessToken(app.config.jwtSecret, await freshUser(app.db))
    const answer = await post('/api/projects', { name: 'Mine' }, key, stranger)
    expect([answer.status, answer.headers.get('idempotency-replayed')]).toEqual([201, null])
  })

  test('that was refused may be asked again, and is decided anew', async () => {
    const key = randomUUID()
    const refused = await post('/api/projects', { name: 'New', templateSlug: 'nowhere' }, key)
    expect(refused.status).toBe(422)
    const again = await post('/api/projects', { name: 'New', templateSlug: 'nowhere' }, key)
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([422, null])
    expect((await post('/api/projects', { name: 'New' }, key)).status).toBe(201)
  })

  test.each(['short', 'with space', 'x'.repeat(129), 'with-\u00fc-in-it'])('cannot be %j', async (key) => {
    expect((await post('/api/projects', { name: 'Odd' }, key)).body).toMatchObject({ status: 400, code: 'bad_request' })
  })
})

describe('after a crash between the effect and its answer', () => {
  /** What such a crash leaves: the key beside its effect, and no answer. */
  const crash = (key: string, ago: string) =>
    app.db.system((tx) =>
      tx.execute(sql`update idempotency_keys set status = null, content_type = null, body = null,
        created_at = now() - ${ago}::interval where key = ${key}`),
    )

  test('the twin is told to wait while an answer may come, then that it was carried out; never is it done twice', async () => {
    const { say, said } = await chatRoom()
    const key = randomUUID()
    await say('Only once', key)
    await crash(key, '1 second')
    const waiting = await say('Only once', key)
    expect([waiting.status, waiting.headers.get('retry-after')]).toEqual([409, '1'])
    await crash(key, '1 minute')
    expect((await say('Only once', key)).body).toMatchObject({ status: 410, code: 'gone' })
    expect(await said()).toEqual(['Only once'])
  })

  test('a key lies in the transaction of its effect: undone together, committed together', async () => {
    const { accompany, Companion } = await import('../platform/db/companion.ts')
    const seen: string[] = []
    const companion = new Companion(async () => void seen.push('written'))
    const topic = (name: string) => sql`insert into topics (topic, seq) values (${name}, 1)`
    await new Promise<void>((resolve, reject) =>
      accompany(companion, () => {
        const story = async () => {
          await app.db.system((tx) => tx.execute(sql`select 1`))
          const undone = app.db.system(async (tx) => {
            await tx.execute(topic(newId()))
            throw new Error('undone')
          })
          await expect(undone).rejects.toThrow('undone')
          expect([seen, companion.isWritten]).toEqual([[], false])
          await Promise.all([1, 2, 3].map(() => app.db.system((tx) => tx.execute(topic(newId())))))
          expect([seen, companion.isWritten]).toEqual([['written'], true])
        }
        story().then(resolve, reject)
      }),
    )
  })

  test('a day later the key is forgotten', async () => {
    const key = randomUUID()
    await post('/api/projects', { name: 'Old' }, key)
    await crash(key, '25 hours')
    expect((await post('/api/projects', { name: 'Newer' }, key)).status).toBe(201)
  })
})
