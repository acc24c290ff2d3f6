import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { migrateDatabase } from './migrate.ts'
import { prepareServer, withClient } from './roles.ts'

let server: EmbeddedPostgres
const dir = mkdtempSync(join(tmpdir(), 'guildhall-test-roles-'))
const as = (user: string, database: string) => {
  const url = new URL(server.adminUrl)
  url.username = user
  url.password = 'one password'
  url.pathname = `/${database}`
  return url.toString()
}

// A server as an operator has it: nothing of ours on it, and a user who may make roles and databases but is no superuser.
beforeAll(async () => {
  server = await startEmbeddedPostgres({ dir: join(dir, 'postgres') })
  await withClient(as('postgres', 'postgres'), async (client) => {
    await client.query('drop database guildhall')
    await client.query('drop role app')
    await client.query('drop role system')
    await client.query('drop role migrate')
    await client.query('create role operator login createrole createdb')
  })
})
afterAll(async () => {
  await server?.stop()
  rmSync(dir, { recursive: true, force: true })
})

test('one address makes roles and database, again and again, and the schema comes up on it', async () => {
  const first = await prepareServer(as('operator', 'house'), { withPasswords: true })
  const second = await prepareServer(as('operator', 'house'), { withPasswords: true })
  expect(second).toEqual(first)
  const passwords = Object.values(first).map((url) => new URL(url).password)
  expect(new Set(passwords).size).toBe(3)
  expect(passwords.every((password) => password.length === 64)).toBe(true)

  await migrateDatabase(first.migrateUrl)
  await migrateDatabase(first.migrateUrl)
  const asApp = await withClient(first.appUrl, (client) => client.query('select from projects'))
  expect(asApp.rowCount).toBe(0)
  const asSystem = await withClient(first.systemUrl, (client) => client.query('select role from users'))
  expect(asSystem.rows).toEqual([{ role: 'admin' }])
})

test('several processes that start at once on an empty database do not fall over each other', async () => {
  const start = async () => {
    const urls = await prepareServer(as('operator', 'crowd'), { withPasswords: true })
    await migrateDatabase(urls.migrateUrl)
  }
  await Promise.all([start(), start(), start()])
})

test('a database that other migration files made is refused with a sentence', async () => {
  const urls = await prepareServer(as('operator', 'older'), { withPasswords: true })
  await migrateDatabase(urls.migrateUrl)
  await withClient(urls.migrateUrl, (client) => client.query(`update drizzle.__drizzle_migrations set hash = 'other'`))
  await expect(migrateDatabase(urls.migrateUrl)).rejects.toThrow(/made by other migration files/)

  // Whoever starts the program reads that sentence alone.
  const env = { ...process.env, DATABASE_URL: as('operator', 'older'), DATA_DIR: join(dir, 'data') }
  for (const entry of ['migrate', 'link', 'api']) {
    const program = fileURLToPath(new URL(`../../entry/${entry}.ts`, import.meta.url))
    const redis = entry === 'api' ? { REDIS_URL: 'redis://127.0.0.1:9' } : {}
    const { status, stderr } = spawnSync(process.execPath, [program], { env: { ...env, ...redis }, encoding: 'utf8' })
    expect([entry, status, stderr.trim().split('\n').length]).toEqual([entry, 1, 1])
    expect(stderr).toMatch(/^This database was made by other migration files/)
  }
})
