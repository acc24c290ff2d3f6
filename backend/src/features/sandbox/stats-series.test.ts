import type { Actor } from '@guildhall/protocol/actor.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshSandboxes, type TestSandboxes } from '../../testing/docker.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { readSeries } from './stats-series.ts'
import { statsTable } from './table.ts'

const MiB = 1024 ** 2

let database: TestDatabase
let world: TestSandboxes
let owner: Actor & { kind: 'user' }
beforeAll(async () => {
  database = await freshDatabase()
  world = await freshSandboxes(database.db)
  owner = await freshUser(database.db)
}, 300_000)
afterAll(async () => {
  await world.close()
  await database.close()
})

test('a load of known size is in the series soon, and another process shows it too', async () => {
  const projectId = await freshProject(database.db, owner)
  const session = await world.sandbox.session(projectId)
  const hold = `
import time
held = bytearray(300 * 1024 * 1024)
for at in range(0, len(held), 4096): held[at] = 1
while True: time.sleep(0.01)`
  await session.startProcess('load', { argv: ['python3', '-c', hold], cwd: '/workspace' })
  const newest = async () => (await world.sandbox.stats(owner, projectId, { range: 60, step: 5 })).series.at(-1)
  await expect.poll(async () => ((await newest())?.memoryBytes ?? 0) / MiB, { timeout: 40_000 }).toBeGreaterThan(300)
  const { now } = await world.sandbox.stats(owner, projectId, { range: 60, step: 5 })
  const point = (await newest())!
  expect(point.memoryBytes / now!.memoryBytes!).toBeGreaterThan(0.85)
  expect(point.memoryBytes / now!.memoryBytes!).toBeLessThan(1.15)
  expect(point.pids).toBeGreaterThan(2)
  expect(point.cpus).toBeGreaterThan(0)

  await world.sandbox.stop(owner, projectId)
  const later = await world.another().stats(owner, projectId, { range: 3_600, step: 60 })
  expect(later.now).toBeNull()
  expect(later.series.length).toBeGreaterThan(0)
}, 120_000)

test('the series is averaged over steps, oldest first, no further back than asked, and never more than a thousand', async () => {
  const projectId = await freshProject(database.db, owner)
  const step = 60_000
  const start = Math.floor(Date.now() / step) * step - 10 * step
  const at = (minutes: number, seconds: number) => new Date(start + minutes * step + seconds * 1_000)
  const row = (time: Date, cpus: number) => ({ projectId, at: time, cpus, memoryBytes: 100, pids: 4, diskUsedBytes: 7 })
  await database.db.system((tx) =>
    tx.insert(statsTable).values([row(at(0, 5), 1), row(at(0, 50), 2), row(at(3, 0), 0.5), row(at(-200, 0), 2)]),
  )
  const read = (query: { range: number; step: number }) =>
    database.db.as(owner, (tx) => readSeries(tx, projectId, query))
  const rest = { memoryBytes: 100, pids: 4, diskUsedBytes: 7 }
  expect(await read({ range: 3_600, step: 60 })).toEqual([
    { at: at(0, 0).toISOString(), cpus: 1.5, ...rest },
    { at: at(3, 0).toISOString(), cpus: 0.5, ...rest },
  ])
  expect(await read({ range: 86_400, step: 3_600 })).toHaveLength(
    new Set([at(0, 5), at(3, 0), at(-200, 0)].map((time) => Math.floor(time.getTime() / 3_600_000))).size,
  )
  const stranger = await freshUser(database.db)
  expect(await database.db.as(stranger, (tx) => readSeries(tx, projectId, { range: 3_600, step: 60 }))).toEqual([])
  const many = Array.from({ length: 2_000 }, (_, n) => row(new Date(start - n * 40_000), 1))
  await database.db.system((tx) => tx.insert(statsTable).values(many).onConflictDoNothing())
  expect((await read({ range: 86_400, step: 5 })).length).toBeLessThanOrEqual(1_001)
})
