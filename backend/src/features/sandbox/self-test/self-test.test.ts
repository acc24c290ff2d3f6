import type { Actor } from '@guildhall/protocol/actor.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../../../platform/log.ts'
import { freshDatabase, type TestDatabase } from '../../../testing/database.ts'
import { freshSandboxes, type TestSandboxes } from '../../../testing/docker.ts'
import { freshProject, freshUser } from '../../../testing/world.ts'
import { createAuthorize } from '../../projects/authorize.ts'
import { createDockerDriver } from '../drivers/docker.ts'
import { sandboxProfile } from '../drivers/profile.ts'
import { createSandboxService, instanceOf, type SandboxService } from '../service.ts'

/** The gate before the first sandbox, on the real engine: with the profile as it is, and with one wall taken away. */

let database: TestDatabase
let world: TestSandboxes
let owner: Actor & { kind: 'user' }
const opened: SandboxService[] = []

beforeAll(async () => {
  database = await freshDatabase()
  world = await freshSandboxes(database.db)
  owner = await freshUser(database.db)
}, 300_000)
afterAll(async () => {
  for (const service of opened) await service.close()
  await world.close()
  await database.close()
})

type HostConfig = Record<string, unknown>

/** A process of the house whose containers are made with `change` on top of the profile. */
function processWith(change: (host: HostConfig) => HostConfig, env: string[] = []): SandboxService {
  const { db } = database
  const labels = { 'guildhall.test': '1' }
  const service = createSandboxService({
    db,
    authorize: createAuthorize({ db }),
    config: world.config,
    ensureWorkTree: async () => ({ path: '/workspace/main', port: 3_000 }),
    log: createLog({ level: 'silent' }),
    labels,
    driver: createDockerDriver({
      dockerHost: world.config.dockerHost,
      instance: instanceOf(world.config.dataDir),
      labels,
      profile(spec, options) {
        const made = sandboxProfile(spec, options)
        return { ...made, Env: env, HostConfig: change(made.HostConfig) }
      },
    }),
  })
  opened.push(service)
  return service
}

const slots = async () =>
  (await database.db.system((tx) => tx.execute<{ id: string }>('select id from containers'))).rows.length

describe('with the profile as it is', () => {
  test('the walls are tested once, before the first sandbox, and nothing of the probe is left', async () => {
    const sandbox = processWith((host) => host)
    expect(sandbox.wallsState().status).toBe('off')
    const projectId = await freshProject(database.db, owner)
    await sandbox.session(projectId)
    const { status, detail } = sandbox.wallsState()
    expect([status, detail]).toEqual([
      'ok',
      expect.stringMatching(/^\d\d walls stand \(tested in \d+ ms\); disks are watched/),
    ])
    expect(await slots()).toBe(1)
    await sandbox.withFreshSandbox(projectId, async () => undefined)
    expect(sandbox.wallsState().detail).toBe(detail)
    await sandbox.removeProject(projectId)
  }, 300_000)

  test('asked for at the start of a process, the test is done before anybody comes', async () => {
    const sandbox = processWith((host) => host)
    await sandbox.testWalls()
    expect(sandbox.wallsState().status).toBe('ok')
  }, 60_000)
})

describe('with one wall taken away no sandbox starts, and the health page says which', () => {
  test.each<[wall: string, change: (host: HostConfig) => HostConfig, env?: string[]]>([
    ['no capability, in no set', (host) => ({ ...host, CapDrop: [] })],
    ['no new privileges', (host) => ({ ...host, SecurityOpt: [] })],
    ['a seccomp filter', (host) => ({ ...host, SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined'] })],
    ['a root that is mounted read-only', (host) => ({ ...host, ReadonlyRootfs: false })],
    ['the loopback interface alone', (host) => ({ ...host, NetworkMode: 'bridge' })],
    ['no engine socket', (host) => ({ ...host, Binds: ['/var/run/docker.sock:/var/tmp/docker.sock'] })],
    ['nothing of the host but its own volume', (host) => ({ ...host, Binds: ['/usr/share/doc:/mnt:ro'] })],
    ['masked kernel memory', (host) => ({ ...host, MaskedPaths: [] })],
    ['kernel settings that cannot be written', (host) => ({ ...host, ReadonlyPaths: [] })],
    ['no process of the host', (host) => ({ ...host, PidMode: 'host' })],
    ['a pids limit', (host) => ({ ...host, PidsLimit: 0 })],
    ['a memory limit', (host) => ({ ...host, Memory: 0, MemorySwap: 0 })],
    ['a limit on processor time', (host) => ({ ...host, NanoCpus: 0 })],
    ['no secret in its environment', (host) => host, ['ANTHROPIC_API_KEY=planted']],
  ])(
    '%s',
    async (wall, change, env) => {
      const sandbox = processWith(change, env)
      const projectId = await freshProject(database.db, owner)
      const refused = { code: 'unavailable', message: expect.stringContaining(wall) }
      await expect(sandbox.session(projectId)).rejects.toMatchObject(refused)
      await expect(sandbox.start(owner, projectId)).rejects.toMatchObject(refused)
      await expect(sandbox.withFreshSandbox(projectId, async () => 'handed out')).rejects.toMatchObject(refused)
      expect(sandbox.wallsState()).toMatchObject({ status: 'failing', detail: expect.stringContaining(wall) })
      expect(await sandbox.get(owner, projectId)).toMatchObject({ state: 'none', error: expect.stringContaining(wall) })
      expect(await slots()).toBe(0)
    },
    60_000,
  )

  test('one that an earlier process started is not handed out either', async () => {
    const projectId = await freshProject(database.db, owner)
    await world.sandbox.session(projectId)
    const sandbox = processWith((host) => ({ ...host, CapDrop: [] }))
    await expect(sandbox.session(projectId)).rejects.toMatchObject({ code: 'unavailable' })
    await world.sandbox.removeProject(projectId)
  }, 60_000)
})
