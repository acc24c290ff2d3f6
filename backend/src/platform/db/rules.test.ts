import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, SessionId, UserId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { appendEvent, listEvents, projectTopic, userTopic } from '../events/events.ts'
import { newId } from '../ids.ts'
import type { Db } from './database.ts'
import { withClient } from './roles.ts'

/** Tables that are the same for everyone, each with its reason. Every other one must be empty for a stranger. */
const openTables = new Map([
  ['project_templates', 'the house offers them to everyone; nobody but migrations writes them'],
])

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.close())

type Person = Actor & { kind: 'user' }

/** Rows straight into the tables, as the features would write them. */
async function person(name: string): Promise<Person> {
  const userId = newId<UserId>()
  await database.db.anonymous((tx) =>
    tx.execute(sql`select from guildhall_insert_user(${userId}, ${`${name}@example.org`}, ${name}, ${name}, 'hash')`),
  )
  return { kind: 'user', userId, sessionId: newId<SessionId>(), role: 'user' }
}

async function project(owner: Person): Promise<ProjectId> {
  const projectId = newId<ProjectId>()
  await database.db.as(owner, async (tx) => {
    const rows = await tx.execute(sql`
      insert into projects (id, owner_id, name, slug, status, template_slug, preview_label, config)
      values (${projectId}, ${owner.userId}, 'P', ${projectId}, 'active', 'react-vite', ${projectId}, '{}') returning id`)
    expect(rows.rows).toEqual([{ id: projectId }])
    await tx.execute(
      sql`insert into project_members (project_id, user_id, role) values (${projectId}, ${owner.userId}, 'owner')`,
    )
    await appendEvent(tx, projectTopic(projectId), { type: 'project.unlisted', actor: owner, data: { projectId } })
    await appendEvent(tx, userTopic(owner.userId), { type: 'project.listed', actor: owner, data: { projectId } })
  })
  return projectId
}

const invite = (owner: Person, projectId: ProjectId, guest: Person) =>
  database.db.as(owner, async (tx) => {
    await tx.execute(
      sql`insert into project_members (project_id, user_id, role) values (${projectId}, ${guest.userId}, 'viewer')`,
    )
    await appendEvent(tx, userTopic(guest.userId), { type: 'project.listed', actor: owner, data: { projectId } })
  })

const count = async (tx: Db, table: string): Promise<number> => {
  const result = await tx.execute<{ n: string }>(sql`select count(*) as n from ${sql.identifier(table)}`)
  return Number(result.rows[0]!.n)
}

const tables = () =>
  withClient(database.migrateUrl, async (client) => {
    const result = await client.query<{ name: string; forced: boolean; policies: number }>(`
      select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as forced,
             (select count(*)::int from pg_policy p where p.polrelid = c.oid) as policies
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p') order by 1`)
    return result.rows
  })

describe('every table', () => {
  test('has row-level security forced and policies of its own', async () => {
    const all = await tables()
    expect(all.length).toBeGreaterThan(15)
    expect(all.filter(({ forced, policies }) => !forced || policies < 2)).toEqual([])
  })

  test('is empty for someone without an actor and for a stranger, and not for the house', async () => {
    const owner = await person('walker')
    await project(owner)
    const stranger = await person('stranger')
    const seen: Record<string, [anonymous: number, stranger: number]> = {}
    for (const { name } of await tables()) {
      if (openTables.has(name)) continue
      const anonymous = await database.db.anonymous((tx) => count(tx, name))
      seen[name] = [anonymous, await database.db.as(stranger, (tx) => count(tx, name))]
    }
    // The own row is all a stranger has.
    expect(Object.entries(seen).filter(([, counts]) => counts.some(Boolean))).toEqual([['users', [0, 1]]])
    expect(await database.db.system((tx) => count(tx, 'projects'))).toBeGreaterThan(0)
    expect(await database.db.anonymous((tx) => count(tx, 'project_templates'))).toBe(1)
  })
})

test('an actor lasts for one transaction: the next on the same connection has none', async () => {
  const owner = await person('once')
  await project(owner)
  for (let round = 0; round < 30; round += 1) {
    expect(await database.db.as(owner, (tx) => count(tx, 'projects'))).toBe(1)
    expect(await database.db.anonymous((tx) => count(tx, 'projects'))).toBe(0)
  }
})

test('a member sees the project and its log, a removed one nothing', async () => {
  const [owner, guest] = [await person('host'), await person('guest')]
  const projectId = await project(owner)
  await invite(owner, projectId, guest)
  await database.db.as(guest, async (tx) => {
    expect(await count(tx, 'projects')).toBe(1)
    expect(await count(tx, 'project_members')).toBe(2)
    expect(await listEvents(tx, projectTopic(projectId), 0, 10)).toHaveLength(1)
    expect(await listEvents(tx, userTopic(guest.userId), 0, 10)).toHaveLength(1)
    // Another person's own log stays that person's.
    expect(await listEvents(tx, userTopic(owner.userId), 0, 10)).toEqual([])
    const people = await tx.execute(sql`select username from guildhall_people(${projectId}) order by 1`)
    expect(people.rows).toEqual([{ username: 'guest' }, { username: 'host' }])
  })
  await database.db.as(owner, (tx) => tx.execute(sql`delete from project_members where user_id = ${guest.userId}`))
  expect(await database.db.as(guest, (tx) => count(tx, 'projects'))).toBe(0)
})

describe('a stranger who is let loose on the database as role app', () => {
  let owner: Person
  let mallory: Person
  let projectId: ProjectId
  beforeAll(async () => {
    owner = await person('victim')
    mallory = await person('mallory')
    projectId = await project(owner)
    await project(mallory)
  })

  const attacks: [string, () => ReturnType<typeof sql>][] = [
    [
      'joins a project',
      () =>
        sql`insert into project_members (project_id, user_id, role) values (${projectId}, ${mallory.userId}, 'owner')`,
    ],
    [
      'makes a project for somebody else',
      () =>
        sql`insert into projects (id, owner_id, name, slug, status, template_slug, preview_label, config) values (${newId()}, ${owner.userId}, 'P', 'p', 'active', 'react-vite', ${newId()}, '{}')`,
    ],
    [
      'writes into a project’s log',
      () =>
        sql`insert into events (topic, seq, project_id, at, type, actor, data) values (${projectTopic(projectId)}, 99, ${projectId}, now(), 'x', '{}', '{}')`,
    ],
    [
      'moves a project’s log on',
      () =>
        sql`insert into topics (topic, seq) values (${projectTopic(projectId)}, 5) on conflict (topic) do update set seq = topics.seq + 1`,
    ],
    [
      'writes into a person’s log',
      () =>
        sql`insert into events (topic, seq, user_id, at, type, actor, data) values (${userTopic(owner.userId)}, 99, ${owner.userId}, now(), 'x', '{}', '{}')`,
    ],
    ['becomes an administrator', () => sql`update users set role = 'admin' where id = ${mallory.userId}`],
    [
      'signs in as somebody else',
      () =>
        sql`insert into sessions (id, user_id, refresh_hash, device, expires_at) values (${newId()}, ${owner.userId}, 'h', 'd', now() + interval '1 day')`,
    ],
    [
      'makes a ticket for somebody else',
      () =>
        sql`insert into tickets (hash, kind, user_id, expires_at) values ('h', 'ws', ${owner.userId}, now() + interval '1 day')`,
    ],
    ['rewrites the log', () => sql`update events set data = '{}'`],
    ['empties the log', () => sql`delete from events`],
    ['empties the audit', () => sql`delete from audit_log`],
    ['rewrites the audit', () => sql`update audit_log set result = 'ok'`],
    ['rewrites a message', () => sql`update agent_messages set content = 'x'`],
    ['adds a template', () => sql`update project_templates set start_command = 'x'`],
    ['turns the rules off', () => sql`alter table projects disable row level security`],
    ['reads the queue', () => sql`select from bullmq.job`],
    ['makes a table', () => sql`create table mine (x int)`],
  ]
  test.each(attacks)('%s: refused', async (_name, attack) => {
    const reason = await database.db
      .as(mallory, (tx) => tx.execute(attack()))
      .then(
        () => 'it worked',
        (error: Error) => String(error.cause),
      )
    expect(reason).toMatch(/row-level security|permission denied|must be owner/)
  })

  test.each(['projects', 'project_members', 'sessions', 'tickets'])(
    'changes or removes nothing in %s',
    async (table) => {
      const column = { projects: 'name', project_members: 'role', sessions: 'device', tickets: 'kind' }[table]!
      const before = await database.db.system((tx) =>
        tx.execute(sql`select * from ${sql.identifier(table)} order by 1`),
      )
      await database.db.anonymous(async (tx) => {
        await tx.execute(sql`update ${sql.identifier(table)} set ${sql.identifier(column)} = 'x'`)
        await tx.execute(sql`delete from ${sql.identifier(table)}`)
      })
      const after = await database.db.system((tx) => tx.execute(sql`select * from ${sql.identifier(table)} order by 1`))
      expect(after.rows).toEqual(before.rows)
    },
  )
})

test('the audit takes a line from someone who is not signed in', async () => {
  await database.db.anonymous((tx) =>
    tx.execute(
      sql`insert into audit_log (id, actor_type, action, target_type, result) values (${newId()}, 'none', 'login', 'user', 'refused')`,
    ),
  )
  expect(await database.db.system((tx) => count(tx, 'audit_log'))).toBeGreaterThan(0)
  await expect(database.db.system((tx) => tx.execute(sql`delete from audit_log`))).rejects.toThrow()
})

test('a ticket is taken once, and a refresh secret swapped once, however many try together', async () => {
  const owner = await person('racer')
  const sessionId = newId()
  await database.db.anonymous((tx) =>
    tx.execute(
      sql`select from guildhall_insert_session(${sessionId}, ${owner.userId}, 'old', 'd', false, now() + interval '1 day')`,
    ),
  )
  await database.db.as(owner, (tx) =>
    tx.execute(
      sql`insert into tickets (hash, kind, user_id, expires_at) values ('secret', 'ws', ${owner.userId}, now() + interval '30 s')`,
    ),
  )
  const race = async (query: () => ReturnType<typeof sql>) => {
    const all = await Promise.all(Array.from({ length: 8 }, () => database.db.anonymous((tx) => tx.execute(query()))))
    return all.map(({ rows }) => rows.length).reduce((total, rows) => total + rows, 0)
  }
  expect(await race(() => sql`select hash from guildhall_take_ticket('ws', 'secret')`)).toBe(1)
  expect(
    await race(
      () => sql`select id from guildhall_rotate_session(${sessionId}, 'old', 'new', now() + interval '1 day')`,
    ),
  ).toBe(1)
})

test('an old ticket is worth nothing', async () => {
  const owner = await person('late')
  await database.db.as(owner, (tx) =>
    tx.execute(
      sql`insert into tickets (hash, kind, user_id, expires_at) values ('stale', 'ws', ${owner.userId}, now() - interval '1 s')`,
    ),
  )
  const { rows } = await database.db.anonymous((tx) =>
    tx.execute(sql`select * from guildhall_take_ticket('ws', 'stale')`),
  )
  expect(rows).toEqual([])
})
