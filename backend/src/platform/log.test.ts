import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../testing/database.ts'
import { createLog } from './log.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.close())

function captured() {
  const lines: string[] = []
  const log = createLog({ destination: { write: (line: string) => void lines.push(line) } })
  return { log, text: () => lines.join('') }
}

test('a failed query is logged with its words and its cause, never with its values', async () => {
  const { log, text } = captured()
  const secret = 'canary-4711\nwith a second line'
  const failing = database.db.anonymous((tx) => tx.execute(sql`select ${secret} from nowhere where a = ${secret}`))
  await failing.catch((error: unknown) => log.error({ err: error, requestId: 'r1' }, 'request failed'))
  expect(text()).toContain('from nowhere')
  expect(text()).toContain('relation \\"nowhere\\" does not exist')
  expect(text()).toContain('"requestId":"r1"')
  expect(text()).not.toContain('canary')
  expect(text()).not.toContain('second line')
})

test('named secrets are blanked at any depth a line has', () => {
  const { log, text } = captured()
  log.info({ password: 'canary', body: { token: 'canary', user: { refreshToken: 'canary' } } }, 'hello')
  expect(text()).toContain('hello')
  expect(text()).not.toContain('canary')
})
