import net, { type AddressInfo } from 'node:net'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../platform/ids.ts'
import { listEvents, projectTopic } from '../../platform/events/events.ts'
import { createLog } from '../../platform/log.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { engineHere, freshSandboxes, type TestSandboxes } from '../../testing/docker.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { createDockerDriver } from './drivers/docker.ts'
import { createLifecycle } from './lifecycle.ts'
import { createReconciler } from './reconcile.ts'
import { instanceOf } from './service.ts'
import { createSessions } from './sessions.ts'
import { insertSlot } from './store.ts'
import { slotTable } from './table.ts'

let database: TestDatabase
let world: TestSandboxes
let owner: Actor & { kind: 'user' }
/** The network behind public addresses, played on loopback; what was dialled of it. */
let internet: net.Server
const dialled: string[] = []
beforeAll(async () => {
  database = await freshDatabase()
  internet = net.createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello'))
  })
  await new Promise<void>((done) => internet.listen(0, '127.0.0.1', done))
  world = await freshSandboxes(database.db, {
    network: {
      resolve: async (host) => [host === 'inward.example.org' ? '192.168.0.1' : '8.8.8.8'],
      async dial(address, port) {
        dialled.push(`${address} ${port}`)
        return net.connect((internet.address() as AddressInfo).port, '127.0.0.1')
      },
    },
  })
  owner = await freshUser(database.db)
}, 300_000)
afterAll(async () => {
  await world.close()
  internet.close()
  await database.close()
})

const ask = (path: string) => ['curl', '-s', '-m', '20', '--noproxy', '*', `http://127.0.0.1:4873${path}`]

test('what the sandbox asks of the outside goes through the keeper, a refusal is told, and another process takes over', async () => {
  const projectId = await freshProject(database.db, owner)
  const session = await world.sandbox.session(projectId)
  expect((await session.exec({ argv: ask('/-/ping') })).stdout.toString()).toBe('{}')

  const refused = await session.exec({
    argv: ['curl', '-s', '-m', '20', '-o', '/dev/null', '-w', '%{http_connect}', 'https://example.org/'],
  })
  expect(refused.stdout.toString()).toBe('403')
  const events = async () => {
    const all = await database.db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 1_000))
    return all.flatMap((event) => (event.type === 'egress.refused' ? [event.data.target] : []))
  }
  await expect.poll(events).toEqual(['example.org:443'])

  const next = world.another()
  await world.sandbox.close()
  const later = await next.session(projectId)
  expect((await later.exec({ argv: ask('/-/ping') })).stdout.toString()).toBe('{}')
  expect((await later.exec({ argv: ['sh', '-c', 'echo still here'] })).exitCode).toBe(0)
}, 120_000)

test('a host that an owner allows is reached at once, through the address that was checked, until it is withdrawn', async () => {
  const projectId = await freshProject(database.db, owner)
  const { hosts } = world.sandbox
  const session = await world.sandbox.session(projectId)
  // A proxy tunnel, then plain words through it: the test's own server speaks no TLS.
  const get = async (target: string) => {
    const argv = ['curl', '-s', '-m', '20', '-p', '-w', ' %{http_connect} %{http_code}', `http://${target}/`]
    return (await session.exec({ argv })).stdout.toString().trim()
  }
  expect(await get('api.example.org:8080')).toBe('403 000')
  await hosts.allow(owner, projectId, 'api.example.org:8080')
  expect(await get('api.example.org:8080')).toBe('hello 200 200')
  expect(dialled).toEqual(['8.8.8.8 8080'])
  expect(await get('api.example.org:8081')).toBe('403 000')

  await hosts.allow(owner, projectId, 'inward.example.org:80')
  expect(await get('inward.example.org:80')).toBe('403 000')
  expect(dialled).toHaveLength(1)
  const lastUse = async () =>
    (await hosts.list(owner, projectId)).map(({ target, receivedBytes }) => [target, receivedBytes])
  await expect.poll(lastUse).toEqual([
    ['api.example.org:8080', 62],
    ['inward.example.org:80', 0],
  ])

  await hosts.withdraw(owner, projectId, 'api.example.org:8080')
  expect(await get('api.example.org:8080')).toBe('403 000')
}, 120_000)

test('what no row knows is swept, after a second look; what belongs to others stays; a dead maker’s throw-away goes', async () => {
  const { db } = database
  const docker = await engineHere()
  const instance = instanceOf(world.config.dataDir)
  const log = createLog({ level: 'fatal' })
  const driver = createDockerDriver({
    dockerHost: world.config.dockerHost,
    instance,
    labels: { 'guildhall.test': '1' },
  })
  const foreign = createDockerDriver({
    dockerHost: world.config.dockerHost,
    instance: `${instance}x`,
    labels: { 'guildhall.test': '1' },
  })
  const [known] = await db.system((tx) => tx.select().from(slotTable).limit(1))
  const image = known!.image
  const specFor = (slotId: SlotId, uid: number) => ({
    slotId,
    uid,
    image,
    volumeName: `guildhall-${slotId}`,
    limits: { memoryMiB: 256, cpus: 1, pids: 64, diskMiB: 1024 },
  })
  const [orphan, others, abandoned] = [newId<SlotId>(), newId<SlotId>(), newId<SlotId>()]
  try {
    await driver.create(specFor(orphan, 20_990))
    await driver.start(orphan)
    await foreign.create(specFor(others, 20_991))
    const limits = { memoryMiB: 256, cpus: 1, pids: 64, diskMiB: 1024 }
    const row = {
      id: abandoned,
      projectId: null,
      driver: 'docker',
      volumeName: `guildhall-${abandoned}`,
      image,
      limits,
      keeper: 'gone',
    }
    const { row: made } = await db.system((tx) => insertSlot(tx, row))
    await driver.create(specFor(abandoned, made.uid))
    await db.system((tx) =>
      tx
        .update(slotTable)
        .set({ keeperUntil: new Date(Date.now() - 1_000) })
        .where(eq(slotTable.id, abandoned)),
    )

    const sessions = createSessions(driver)
    const lifecycle = createLifecycle({ db, driver, sessions, imageName: async () => image, log })
    const reconciler = createReconciler({ db, driver, lifecycle, sessions, log, sweepEveryMs: 500 })
    await expect
      .poll(async () => (await driver.list()).map(({ slotId }) => slotId), { timeout: 20_000 })
      .not.toContain(orphan)
    await expect
      .poll(async () => (await driver.list()).map(({ slotId }) => slotId), { timeout: 20_000 })
      .not.toContain(abandoned)
    await reconciler.close()
    const rows = await db.system((tx) => tx.select().from(slotTable).where(eq(slotTable.id, abandoned)))
    expect(rows).toEqual([])
    expect((await foreign.list()).map(({ slotId }) => slotId)).toEqual([others])
    expect((await driver.list()).map(({ slotId }) => slotId)).toContain(known!.id)
    const volumes = (await docker.listVolumes({})).Volumes.map(({ Name }) => Name)
    expect([volumes.includes(`guildhall-${orphan}`), volumes.includes(`guildhall-${others}`)]).toEqual([false, true])
  } finally {
    for (const slotId of [orphan, abandoned]) await driver.remove(slotId)
    await foreign.remove(others)
  }
}, 120_000)
