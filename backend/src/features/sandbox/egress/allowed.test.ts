import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listEvents, projectTopic } from '../../../platform/events/events.ts'
import { freshDatabase, type TestDatabase } from '../../../testing/database.ts'
import { freshProject, freshUser, join } from '../../../testing/world.ts'
import { createAuthorize } from '../../projects/authorize.ts'
import { createAllowedHosts } from './allowed.ts'

let database: TestDatabase
let owner: Actor & { kind: 'user' }
let hosts: ReturnType<typeof createAllowedHosts>
const withdrawn: ProjectId[] = []
beforeAll(async () => {
  database = await freshDatabase()
  const { db } = database
  owner = await freshUser(db)
  const onWithdrawn = (projectId: ProjectId) => void withdrawn.push(projectId)
  hosts = createAllowedHosts({ db, authorize: createAuthorize({ db }), onWithdrawn })
})
afterAll(() => database.close())

const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'fine',
    (error: { code?: string }) => error.code,
  )
async function eventsOf(projectId: ProjectId) {
  const events = await database.db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 1_000))
  return events.flatMap(({ type, data, actor }) =>
    type.startsWith('egress.') ? [[type, data, actor.kind === 'user' && actor.userId]] : [],
  )
}

test('an owner opens and closes one host:port; each change is an event, a repetition is none', async () => {
  const projectId = await freshProject(database.db, owner)
  const host = await hosts.allow(owner, projectId, 'API.Example.com:443')
  expect(host).toMatchObject({ target: 'api.example.com:443', allowedBy: owner.userId, sentBytes: 0, lastUsedAt: null })
  expect(await hosts.allow(owner, projectId, 'api.example.com:443')).toEqual(host)
  expect(await hosts.targetsOf(projectId)).toEqual(['api.example.com:443'])

  await hosts.addTraffic(projectId, 'api.example.com:443', { sentBytes: 5, receivedBytes: 7_000_000_000 })
  await hosts.addTraffic(projectId, 'api.example.com:443', { sentBytes: 5, receivedBytes: 1 })
  const [used] = await hosts.list(owner, projectId)
  expect(used).toMatchObject({ sentBytes: 10, receivedBytes: 7_000_000_001, lastUsedAt: expect.any(String) })

  await hosts.withdraw(owner, projectId, 'api.example.com:443')
  await hosts.withdraw(owner, projectId, 'api.example.com:443')
  expect([await hosts.targetsOf(projectId), withdrawn.includes(projectId)]).toEqual([[], true])
  expect(await eventsOf(projectId)).toEqual([
    ['egress.allowed', { host }, owner.userId],
    ['egress.withdrawn', { target: 'api.example.com:443' }, owner.userId],
  ])
})

test('twenty owners’ clicks at once are one host and one event', async () => {
  const projectId = await freshProject(database.db, owner)
  await Promise.all(Array.from({ length: 20 }, () => hosts.allow(owner, projectId, 'api.example.com:443')))
  expect([await hosts.targetsOf(projectId), (await eventsOf(projectId)).length]).toEqual([['api.example.com:443'], 1])
})

test('nobody else may: editors look, viewers look, strangers see nothing, and no other project is touched', async () => {
  const projectId = await freshProject(database.db, owner)
  await hosts.allow(owner, projectId, 'api.example.com:443')
  const [editor, viewer, stranger] = [
    await freshUser(database.db),
    await freshUser(database.db),
    await freshUser(database.db),
  ]
  await join(database.db, projectId, editor, 'editor')
  await join(database.db, projectId, viewer, 'viewer')
  for (const [actor, look, change] of [
    [editor, 'fine', 'forbidden'],
    [viewer, 'fine', 'forbidden'],
    [stranger, 'not_found', 'not_found'],
  ] as const) {
    expect([
      await codeOf(hosts.list(actor, projectId)),
      await codeOf(hosts.allow(actor, projectId, 'evil.example.com:443')),
      await codeOf(hosts.withdraw(actor, projectId, 'api.example.com:443')),
    ]).toEqual([look, change, change])
  }
  expect(await hosts.targetsOf(projectId)).toEqual(['api.example.com:443'])
  expect(await hosts.targetsOf(await freshProject(database.db, owner))).toEqual([])
})

test('only an exact name with a port can be allowed', async () => {
  const projectId = await freshProject(database.db, owner)
  const wrong = [
    'example.com',
    '*.example.com:443',
    '127.0.0.1:80',
    'localhost:5432',
    'https://example.com',
    'a.b:0',
    '',
  ]
  for (const target of wrong)
    expect([target, await codeOf(hosts.allow(owner, projectId, target))]).toEqual([target, 'invalid'])
})

test('there is an end to the list', async () => {
  const projectId = await freshProject(database.db, owner)
  for (let n = 0; n < 100; n++) await hosts.allow(owner, projectId, `h${n}.example.com:443`)
  expect(await codeOf(hosts.allow(owner, projectId, 'one-more.example.com:443'))).toBe('conflict')
  expect(await codeOf(hosts.allow(owner, projectId, 'h7.example.com:443'))).toBe('fine')
})
