import type { Actor } from '@guildhall/protocol/actor.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAuthorize } from '../../projects/authorize.ts'
import { createLog } from '../../../platform/log.ts'
import { freshDatabase, type TestDatabase } from '../../../testing/database.ts'
import { freshSandboxes, type TestSandboxes } from '../../../testing/docker.ts'
import { freshProject, freshUser } from '../../../testing/world.ts'
import { createSandboxService } from '../service.ts'

let database: TestDatabase
let world: TestSandboxes
let owner: Actor & { kind: 'user' }
beforeAll(async () => {
  database = await freshDatabase()
  world = await freshSandboxes(database.db, { engine: 'local' })
  owner = await freshUser(database.db)
})
afterAll(async () => {
  await world.close()
  await database.close()
})

test('a sandbox of local processes says that it has no walls, and gets nothing of the platform’s environment', async () => {
  process.env['SECRET_CANARY'] = 'planted'
  const projectId = await freshProject(database.db, owner)
  const started = await world.sandbox.start(owner, projectId)
  expect(started).toMatchObject({ state: 'running', driver: 'local', isolated: false })
  expect(world.sandbox.engineState().detail).toContain('without isolation')
  const session = await world.sandbox.session(projectId)
  const { stdout } = await session.exec({ argv: ['env'] })
  expect(stdout.toString()).not.toMatch(/planted|DATABASE_URL|API_KEY/)
  delete process.env['SECRET_CANARY']
})

test('its files survive stop and start; another process finds it running; removed, nothing is left', async () => {
  const projectId = await freshProject(database.db, owner)
  const session = await world.sandbox.session(projectId)
  const { hash } = await session.writeFile('/workspace/main/kept', Buffer.from('kept'))
  await world.sandbox.stop(owner, projectId)
  const woken = await world.sandbox.session(projectId)
  expect((await woken.readFile('/workspace/main/kept'))?.hash).toBe(hash)
  await woken.startProcess('server', { argv: ['sleep', '100'], cwd: '/workspace' })
  const other = await world.another().session(projectId)
  expect(await other.process('server')).toMatchObject({ state: 'running' })
  await world.sandbox.withFreshSandbox(projectId, async (fresh) => {
    expect(await fresh.readFile('/workspace/main/kept')).toBeNull()
  })
  await world.sandbox.removeProject(projectId)
  expect((await world.sandbox.get(owner, projectId)).state).toBe('none')
})

test('without an engine a sandbox says so, and so does everything that needs one', async () => {
  const projectId = await freshProject(database.db, owner)
  const { db } = database
  for (const config of [
    { ...world.config, engine: 'none' as const },
    { ...world.config, engine: 'auto' as const, dockerHost: 'unix:///nowhere/docker.sock' },
  ]) {
    const sandbox = createSandboxService({
      db,
      authorize: createAuthorize({ db }),
      config,
      ensureWorkTree: async () => ({ path: '/workspace/main', port: 3_000 }),
      log: createLog({ level: 'fatal' }),
    })
    for (const attempt of await Promise.allSettled([
      sandbox.session(projectId),
      sandbox.start(owner, projectId),
      sandbox.withFreshSandbox(projectId, async () => undefined),
    ])) {
      expect(attempt.status === 'rejected' && attempt.reason.code).toBe('no_engine')
    }
    await expect.poll(async () => (await sandbox.get(owner, projectId)).error).toMatch(/engine/)
    expect((await sandbox.get(owner, projectId)).state).toBe('none')
    expect(sandbox.engineState().status).toBe(config.engine === 'none' ? 'off' : 'failing')
    await sandbox.close()
  }
})
