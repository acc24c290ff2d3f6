import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { startEmbeddedPostgres } from './embedded.ts'
import { withClient } from './roles.ts'

const cleanUps: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

function freshFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'guildhall-test-embedded-'))
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'postgres')
}

async function start(dir: string) {
  const server = await startEmbeddedPostgres({ dir })
  cleanUps.push(() => server.stop())
  return server
}

/** The same in a process of its own. */
async function startElsewhere(dir: string) {
  const program = new URL('./embedded.test-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  cleanUps.push(() => kill(child))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, ...(JSON.parse(line.toString()) as { pid: number; adopted: boolean; adminUrl: string }) }
}

async function kill(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

const ask = (url: string, query: string) =>
  withClient(url, async (client) => (await client.query<Record<string, unknown>>(query)).rows)
const isGone = (pid: number) => {
  try {
    return /\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

test('three roles, one database, no superuser among them, and what was written is there after a stop', async () => {
  const dir = freshFolder()
  const first = await startEmbeddedPostgres({ dir })
  for (const [url, name] of [
    [first.migrateUrl, 'migrate'],
    [first.appUrl, 'app'],
    [first.systemUrl, 'system'],
  ] as const) {
    const query =
      'select current_user as name, rolsuper or rolbypassrls as mighty from pg_roles where rolname = current_user'
    expect(await ask(url, query)).toEqual([{ name, mighty: false }])
  }
  await ask(first.migrateUrl, 'create table kept as select 7 as n')
  await first.stop()
  expect(isGone(first.pid())).toBe(true)

  const began = Date.now()
  const second = await start(dir)
  expect(Date.now() - began).toBeLessThan(5_000)
  expect(await ask(second.migrateUrl, 'select n from kept')).toEqual([{ n: 7 }])
})

test('a second process joins the server, and takes over when the first one is killed', async () => {
  const dir = freshFolder()
  const owner = await startElsewhere(dir)
  const joined = await start(dir)
  expect([joined.adopted, joined.pid()]).toEqual([true, owner.pid])

  await kill(owner.child)
  await expect.poll(() => isGone(owner.pid), { timeout: 5_000 }).toBe(true)
  await expect.poll(() => joined.pid() !== owner.pid, { timeout: 10_000 }).toBe(true)
  expect(await ask(joined.appUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('killed with -9 again and again in mid-write, it starts with every acknowledged row', async () => {
  const dir = freshFolder()
  let acknowledged = 0
  for (let round = 0; round < 4; round += 1) {
    const { child, pid, adminUrl } = await startElsewhere(dir)
    await ask(adminUrl, 'create table if not exists kept (n int)')
    await withClient(adminUrl, async (client) => {
      for (let n = 0; n < 50; n += 1) {
        await client.query('insert into kept values (1)')
        acknowledged += 1
      }
      // Once the process, once the server too, both without a chance to tidy up.
      if (round % 2 === 1) process.kill(pid, 'SIGKILL')
      await kill(child)
    }).catch(() => undefined)
  }
  const server = await start(dir)
  expect(await ask(server.adminUrl, 'select count(*)::int as n from kept')).toEqual([{ n: acknowledged }])
})

test('the server starts again when it alone is killed', async () => {
  const server = await start(freshFolder())
  const before = server.pid()
  process.kill(before, 'SIGKILL')
  await expect.poll(() => server.pid() !== before, { timeout: 20_000 }).toBe(true)
  expect(await ask(server.systemUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a pid file that names somebody else’s process does not stop it', async () => {
  const dir = freshFolder()
  await (await startEmbeddedPostgres({ dir })).stop()
  writeFileSync(join(realpathSync(dir), 'data/postmaster.pid'), `${process.pid}\n${dir}\n`)
  const server = await start(dir)
  expect(server.adopted).toBe(false)
})

test('a data folder with a very long name gets a socket elsewhere', async () => {
  const folder = freshFolder()
  chmodSync(dirname(folder), 0o711)
  const dir = join(folder, 'x'.repeat(60), 'y'.repeat(60))
  const server = await start(dir)
  const socketDir = new URL(server.appUrl).searchParams.get('host')!
  expect(socketDir.startsWith(realpathSync(dir))).toBe(false)
  expect(lstatSync(socketDir).mode & 0o777).toBe(0o700)
  expect(await ask(server.appUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  cleanUps.unshift(() => rmSync(socketDir, { recursive: true, force: true }))
})

test('below a folder that is closed to the server’s user, the cluster of root lies elsewhere', async () => {
  const closed = freshFolder()
  mkdirSync(closed, { mode: 0o700 })
  const dir = join(closed, 'data/postgres')
  const server = await start(dir)
  const elsewhere = realpathSync(dir)
  cleanUps.unshift(() => rmSync(elsewhere, { recursive: true, force: true }))
  expect(lstatSync(dir).isSymbolicLink()).toBe(process.getuid?.() === 0)
  expect(await ask(server.appUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('what a crash left of a half-made cluster is not taken for one', async () => {
  const dir = freshFolder()
  mkdirSync(join(dir, 'data'), { recursive: true })
  const server = await start(dir)
  expect(existsSync(join(realpathSync(dir), 'data/PG_VERSION'))).toBe(true)
  expect(await ask(server.appUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})
