import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listEvents, projectTopic } from '../../platform/events/events.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshSandboxes, type TestSandboxes } from '../../testing/docker.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { defaultLimits } from './lifecycle.ts'
import { slotTable } from './table.ts'

const MiB = 1024 ** 2
const diskMiB = 100

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

/** A project whose disk is small, and its session; the keeper reads the row at its next beat. */
async function smallProject() {
  const projectId = await freshProject(database.db, owner)
  const session = await world.sandbox.session(projectId)
  await database.db.system((tx) =>
    tx
      .update(slotTable)
      .set({ limits: { ...defaultLimits, diskMiB } })
      .where(eq(slotTable.projectId, projectId)),
  )
  await expect.poll(async () => (await session.stats()).diskLimitBytes, { timeout: 15_000 }).toBe(diskMiB * MiB)
  return { projectId, session }
}
async function crossings(projectId: ProjectId) {
  const events = await database.db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 1_000))
  return events.flatMap((event) => (event.type === 'disk.crossed' ? [event.data.disk] : []))
}
const diskOf = async (projectId: ProjectId) => (await world.sandbox.get(owner, projectId)).disk

test('it is told at four fifths; full, no tool writes and what goes on writing is stopped; freed, all is well again', async () => {
  const { projectId, session } = await smallProject()
  const run = (command: string) => session.exec({ argv: ['bash', '-c', command], timeoutMs: 60_000 })
  const write = (path: string) => session.writeFile(path, Buffer.from('x'))
  const states = async () => (await crossings(projectId)).map(({ state }) => state)

  expect((await run('head -c 88M /dev/zero > /workspace/most')).exitCode).toBe(0)
  await expect.poll(states, { timeout: 20_000 }).toEqual(['near'])
  expect(await diskOf(projectId)).toMatchObject({ state: 'near', limitBytes: diskMiB * MiB, ended: [] })
  await write('/workspace/still-fine')

  // About 30 MB a second, for ever; a neighbour in the same sandbox that writes nothing.
  await session.startProcess('quiet', { argv: ['sleep', '300'], cwd: '/workspace' })
  const filler = `
import os, time
with open('/workspace/fill', 'wb') as f:
    while True:
        f.write(bytes(1 << 20)); f.flush(); time.sleep(0.03)`
  const filled = await session.exec({ argv: ['python3', '-c', filler], timeoutMs: 60_000 })
  expect([filled.signal, filled.timedOut]).toEqual(['SIGKILL', false])
  expect(filled.stderr.toString()).toContain('The disk of this sandbox is full')
  const { diskUsedBytes } = await session.stats()
  expect(diskUsedBytes).toBeLessThan((diskMiB + 200) * MiB)

  await expect(write('/workspace/refused')).rejects.toMatchObject({
    code: 'disk_full',
    message: expect.stringMatching(/^The disk of this sandbox is full: 0\.\d of 0\.1 GiB\. Delete something first\.$/),
  })
  expect(await session.process('quiet')).toMatchObject({ state: 'running' })
  await expect.poll(states, { timeout: 20_000 }).toEqual(['near', 'full'])
  expect(await diskOf(projectId)).toMatchObject({ state: 'full', ended: ['python3'] })

  expect((await run('rm /workspace/fill /workspace/most')).exitCode).toBe(0)
  await expect.poll(() => write('/workspace/again').then(() => 'written', String), { timeout: 20_000 }).toBe('written')
  await expect.poll(states, { timeout: 20_000 }).toEqual(['near', 'full', 'ok'])
  expect(await diskOf(projectId)).toMatchObject({ state: 'ok', ended: [] })
}, 180_000)

test('a crowd of small writers, none of which writes much, is stopped as well', async () => {
  const { session } = await smallProject()
  const command = 'n=0; while true; do n=$((n+1)); head -c 3M /dev/zero > /workspace/f$n; done'
  const outcome = await session.exec({ argv: ['bash', '-c', command], timeoutMs: 60_000 })
  expect([outcome.exitCode, outcome.timedOut]).toEqual([null, false])
  expect(outcome.stderr.toString()).toContain('The disk of this sandbox is full')
}, 120_000)

test('a throw-away sandbox knows its limit from the beginning', async () => {
  const projectId = await freshProject(database.db, owner)
  const limit = await world.sandbox.withFreshSandbox(
    projectId,
    async (session) => (await session.stats()).diskLimitBytes,
  )
  expect(limit).toBe(defaultLimits.diskMiB * MiB)
}, 60_000)
