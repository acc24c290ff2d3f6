import type { Actor } from '@guildhall/protocol/actor.ts'
import type { SessionId, UserId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { newId } from '../ids.ts'
import { asAppError } from '../http/problem.ts'
import { createDatabase, DatabaseAway, type Db } from './database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.close())

const person = (): Actor => ({
  ...{ kind: 'user', role: 'user' },
  ...{ userId: newId<UserId>(), sessionId: newId<SessionId>() },
})
const actorSeen = async (tx: Db) => {
  const { rows } = await tx.execute<{ id: string | null }>(sql`select guildhall_actor() as id`)
  return rows[0]!.id
}

test('the rights of a transaction end with it, on whatever connection the next one runs', async () => {
  const { db } = database
  const people = Array.from({ length: 30 }, person)
  const seen = await Promise.all(people.map((each) => db.as(each, actorSeen)))
  expect(seen).toEqual(people.map((each) => each.kind === 'user' && each.userId))
  expect(await Promise.all(people.map(() => db.anonymous(actorSeen)))).toEqual(people.map(() => null))
})

test('a failed statement that somebody passed over does not count as a success', async () => {
  const passedOver = database.db.system(async (tx) => {
    await tx.execute(sql`insert into topics (topic, seq) values ('lost', 1)`)
    await tx.execute(sql`select 1 / ${0}::int`).catch(() => undefined)
  })
  await expect(passedOver).rejects.toThrow('passed over')
  const { rows } = await database.db.system((tx) => tx.execute(sql`select from topics where topic = 'lost'`))
  expect(rows).toEqual([])
})

test('connections that the server cut are replaced, and what was under way fails whole', async () => {
  const { db } = database
  const cut = db.system(async (tx) => {
    await tx.execute(sql`insert into topics (topic, seq) values ('cut', 1)`)
    await db.anonymous(async () => undefined)
    await tx.execute(sql`select pg_terminate_backend(pg_backend_pid())`)
  })
  await expect(cut).rejects.toThrow()
  const { rows } = await db.system((tx) => tx.execute(sql`select from topics where topic = ${'cut'}`))
  expect(rows).toEqual([])
})

test('a database that cannot be reached is told from a failure of the work, and the API says: try again', async () => {
  const nowhere = 'postgres://nobody@127.0.0.1:1/nothing'
  const db = createDatabase({ appUrl: nowhere, systemUrl: nowhere })
  const error: unknown = await db.system(async () => undefined).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DatabaseAway)
  expect(asAppError(error)).toMatchObject({ code: 'unavailable' })
  await db.close()
})

test('so is one that goes away in the middle of the work', async () => {
  const cut = database.db.system((tx) => tx.execute(sql`select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)`))
  const error: unknown = await cut.catch((reason: unknown) => reason)
  expect(asAppError(error)).toMatchObject({ code: 'unavailable' })
  expect(asAppError(new Error('a bug'))).toMatchObject({ code: 'internal' })
  expect((await database.db.system((tx) => tx.execute(sql`select 1 as one`))).rows).toEqual([{ one: 1 }])
})
