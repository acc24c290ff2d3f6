import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { LogQuery } from '@guildhall/protocol/sandbox.ts'
import { eq } from 'drizzle-orm'
import type Docker from 'dockerode'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listEvents, projectTopic } from '../../platform/events/events.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { engineHere, freshSandboxes, type TestSandboxes } from '../../testing/docker.ts'
import { freshProject, freshUser, join } from '../../testing/world.ts'
import { projectTable } from '../projects/table.ts'
import { instanceOf } from './service.ts'
import { slotTable } from './table.ts'

const house: Actor = { kind: 'system' }
const text = (bytes: Buffer) => bytes.toString('utf8')

let database: TestDatabase
let world: TestSandboxes
let docker: Docker
let owner: Actor & { kind: 'user' }

beforeAll(async () => {
  database = await freshDatabase()
  docker = await engineHere()
  world = await freshSandboxes(database.db)
  owner = await freshUser(database.db)
}, 300_000)
afterAll(async () => {
  await world.close()
  await database.close()
})

const project = () => freshProject(database.db, owner)
const containers = (all = true) =>
  docker.listContainers({ all, filters: { label: [`guildhall.instance=${instanceOf(world.config.dataDir)}`] } })
const volumes = async () =>
  (await docker.listVolumes({ filters: { label: [`guildhall.instance=${instanceOf(world.config.dataDir)}`] } })).Volumes
async function rowOf(projectId: ProjectId) {
  const [row] = await database.db.system((tx) => tx.select().from(slotTable).where(eq(slotTable.projectId, projectId)))
  return row!
}
const containerOf = async (projectId: ProjectId) => docker.getContainer(`guildhall-${(await rowOf(projectId)).id}`)
async function statesOf(projectId: ProjectId) {
  const events = await database.db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 1_000))
  return events.flatMap((event) => (event.type === 'sandbox.changed' ? [event.data.container.state] : []))
}

describe('the sandbox of a project', () => {
  test('started ten times at once by two processes is one container, one row and the same answer', async () => {
    const projectId = await project()
    const other = world.another()
    const before = (await containers()).length
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 ? other : world.sandbox).start(owner, projectId)),
    )
    expect(new Set(answers.map(({ state }) => state))).toEqual(new Set(['running']))
    expect((await containers()).length).toBe(before + 1)
    const rows = await database.db.system((tx) => tx.select().from(slotTable).where(eq(slotTable.projectId, projectId)))
    expect(rows).toHaveLength(1)
    expect((await statesOf(projectId)).at(-1)).toBe('running')
  }, 120_000)

  test('of a project in the archive, or one that is being deleted, is woken by nobody', async () => {
    const projectId = await project()
    await world.sandbox.session(projectId)
    await world.sandbox.stop(house, projectId)
    const become = (status: 'archived' | 'deleting' | 'active') =>
      database.db.system((tx) => tx.update(projectTable).set({ status }).where(eq(projectTable.id, projectId)))
    await become('archived')
    await expect(world.sandbox.session(projectId)).rejects.toMatchObject({ code: 'conflict' })
    await become('deleting')
    await expect(world.sandbox.session(projectId)).rejects.toMatchObject({ code: 'not_found' })
    expect((await world.sandbox.get(house, projectId)).state).toBe('stopped')
    await become('active')
    expect((await world.sandbox.start(owner, projectId)).state).toBe('running')
  }, 60_000)

  test('walks through its states, each an event, and keeps its files with the right owner', async () => {
    const projectId = await project()
    expect((await world.sandbox.get(owner, projectId)).state).toBe('none')
    const session = await world.sandbox.session(projectId)
    const { hash } = await session.writeFile('/workspace/main/kept.txt', Buffer.from('kept'))
    const uid = (await rowOf(projectId)).uid
    expect(
      text(
        (await session.exec({ argv: ['sh', '-c', 'id -u; stat -c %u:%g /workspace /workspace/main/kept.txt'] })).stdout,
      ),
    ).toBe(`${uid}\n${uid}:${uid}\n${uid}:${uid}\n`)
    expect((await world.sandbox.stop(owner, projectId)).state).toBe('stopped')
    expect((await world.sandbox.restart(owner, projectId)).state).toBe('running')
    expect((await (await world.sandbox.session(projectId)).readFile('/workspace/main/kept.txt'))?.hash).toBe(hash)
    expect(await statesOf(projectId)).toEqual(['creating', 'running', 'stopping', 'stopped', 'creating', 'running'])

    await (await containerOf(projectId)).remove({ force: true })
    const recreated = await world.sandbox.session(projectId)
    expect((await recreated.readFile('/workspace/main/kept.txt'))?.hash).toBe(hash)
    expect(text((await recreated.exec({ argv: ['stat', '-c', '%u', '/workspace/main/kept.txt'] })).stdout)).toBe(
      `${uid}\n`,
    )
    await recreated.writeFile('/workspace/main/more.txt', Buffer.from('more'))
  }, 120_000)

  test('killed behind our back is stopped, with a reason, within ten seconds, and wakes on use', async () => {
    const projectId = await project()
    await world.sandbox.start(owner, projectId)
    const killedAt = Date.now()
    await (await containerOf(projectId)).kill()
    await expect
      .poll(async () => (await world.sandbox.get(owner, projectId)).state, { timeout: 10_000 })
      .toBe('stopped')
    expect(Date.now() - killedAt).toBeLessThan(10_000)
    expect((await world.sandbox.get(owner, projectId)).error).toContain('exit code 137')
    const session = await world.sandbox.session(projectId)
    expect((await session.exec({ argv: ['true'] })).exitCode).toBe(0)
    expect(await world.sandbox.get(owner, projectId)).toMatchObject({ state: 'running', error: null })
  }, 120_000)

  test('killed and used at once works, without waiting for anybody to notice', async () => {
    const projectId = await project()
    await world.sandbox.start(owner, projectId)
    await (await containerOf(projectId)).kill()
    expect((await (await world.sandbox.session(projectId)).exec({ argv: ['true'] })).exitCode).toBe(0)
  }, 120_000)

  test('started behind our back is running', async () => {
    const projectId = await project()
    await world.sandbox.start(owner, projectId)
    await world.sandbox.stop(owner, projectId)
    await (await containerOf(projectId)).start()
    await expect
      .poll(async () => (await world.sandbox.get(owner, projectId)).state, { timeout: 10_000 })
      .toBe('running')
  }, 120_000)

  test('removed leaves nothing in engine or rows, and removing it again is fine', async () => {
    const projectId = await project()
    await world.sandbox.provision(projectId)
    const { id } = await rowOf(projectId)
    await world.sandbox.removeProject(projectId)
    await world.sandbox.removeProject(projectId)
    const names = [...(await containers()).flatMap(({ Names }) => Names), ...(await volumes()).map(({ Name }) => Name)]
    expect(names.filter((name) => name.includes(id))).toEqual([])
    expect((await world.sandbox.get(owner, projectId)).state).toBe('none')
  }, 120_000)

  test('is stopped, started and used by those who may work, and seen by those who may read', async () => {
    const projectId = await project()
    const viewer = await freshUser(database.db)
    const stranger = await freshUser(database.db)
    await join(database.db, projectId, viewer, 'viewer')
    expect((await world.sandbox.get(viewer, projectId)).state).toBe('none')
    const exec = { command: 'true', branch: 'main', timeoutMs: 1_000 }
    const open = { projectId, branch: 'main', cols: 80, rows: 24 }
    for (const [actor, code] of [
      [viewer, 'forbidden'],
      [stranger, 'not_found'],
    ] as const) {
      const attempts = await Promise.allSettled([
        world.sandbox.start(actor, projectId),
        world.sandbox.stop(actor, projectId),
        world.sandbox.restart(actor, projectId),
        world.sandbox.exec(actor, projectId, exec),
        world.sandbox.terminals.open(actor, open),
        world.sandbox.listTerminals(actor, projectId),
      ])
      expect(attempts.map((attempt) => attempt.status === 'rejected' && attempt.reason.code)).toEqual(
        attempts.map(() => code),
      )
    }
    expect(await rowOf(projectId)).toBeUndefined()
  })
})

describe('commands and terminals of people', () => {
  let projectId: ProjectId
  beforeAll(async () => {
    projectId = await project()
    await world.sandbox.start(owner, projectId)
  }, 120_000)

  test('a command runs in the work tree of its branch', async () => {
    const command = 'pwd; echo $PORT; whoami; exit 3'
    const result = await world.sandbox.exec(owner, projectId, { command, branch: 'main', timeoutMs: 10_000 })
    const { uid } = await rowOf(projectId)
    expect(result).toMatchObject({
      exitCode: 3,
      stdout: `/workspace/main\n3000\ns${uid}\n`,
      stderr: '',
      timedOut: false,
    })
    for (const cwd of ['../..', '/etc']) {
      const out = world.sandbox.exec(owner, projectId, { command, branch: 'main', cwd, timeoutMs: 1_000 })
      await expect(out).rejects.toMatchObject({ code: 'forbidden' })
    }
  })

  test('a terminal resizes, takes ctrl-c, survives its reader, and shows what was missed', async () => {
    const { terminals } = world.sandbox
    const first = await terminals.open(owner, { projectId, branch: 'main', cols: 80, rows: 24 })
    let said = ''
    first.onData((bytes) => (said += text(bytes)))
    first.write(Buffer.from('stty size; tty\n'))
    await expect.poll(() => said).toContain('24 80')
    first.resize(132, 50)
    first.write(Buffer.from('stty size\n'))
    await expect.poll(() => said).toContain('50 132')
    first.write(Buffer.from('sleep 300\n'))
    await sleep(300)
    first.write(Buffer.from('\x03'))
    first.write(Buffer.from('echo status-$?-\n'))
    await expect.poll(() => said).toContain('status-130-')

    first.write(Buffer.from('sleep 0.5; echo while-away\n'))
    first.detach()
    await sleep(900)
    const { terminalId } = first
    const again = await world
      .another()
      .terminals.open(owner, { projectId, terminalId, branch: 'main', cols: 100, rows: 30 })
    expect(text(again.replay)).toContain('while-away')
    expect(await world.sandbox.listTerminals(owner, projectId)).toMatchObject([
      { id: terminalId, projectId, branch: 'main' },
    ])

    let later = ''
    again.onData((bytes) => (later += text(bytes)))
    again.write(Buffer.from('vi /workspace/main/edited\n'))
    await expect.poll(() => later).toContain('\x1b[?1049h')
    again.write(Buffer.from('ihello from vi\x1b:wq\r'))
    const session = await world.sandbox.session(projectId)
    await expect
      .poll(async () => (await session.readFile('/workspace/main/edited'))?.bytes.toString())
      .toBe('hello from vi\n')

    const exit = new Promise((done) => again.onExit(done))
    await world.sandbox.removeTerminal(owner, projectId, terminalId)
    await exit
    await expect.poll(() => world.sandbox.listTerminals(owner, projectId)).toEqual([])
    const gone = terminals.open(owner, { projectId, terminalId, branch: 'main', cols: 80, rows: 24 })
    await expect(gone).rejects.toMatchObject({ code: 'not_found' })
  }, 60_000)

  test('200 MB in a terminal do not drown its reader, and it answers afterwards', async () => {
    const terminal = await world.sandbox.terminals.open(owner, { projectId, branch: 'main', cols: 80, rows: 24 })
    let bytes = 0
    let end = ''
    terminal.onData((chunk) => {
      bytes += chunk.length
      end = (end + text(chunk)).slice(-200)
    })
    terminal.write(Buffer.from('head -c 200000000 /dev/zero | tr "\\0" x; echo; echo finished-$((1+1))\n'))
    await expect.poll(() => end, { timeout: 60_000 }).toContain('finished-2')
    expect(bytes).toBeGreaterThan(200_000_000)
    await terminal.kill()
  }, 90_000)
})

describe('a throw-away sandbox', () => {
  test('is empty, walled the same way, apart from the project’s own, and gone afterwards', async () => {
    const projectId = await project()
    await (await world.sandbox.session(projectId)).writeFile('/workspace/main/own.txt', Buffer.from('mine'))
    const before = [(await containers()).length, (await volumes()).length]
    const seen = await world.sandbox.withFreshSandbox(projectId, async (session) => {
      await session.writeFile('/workspace/check/x', Buffer.from('x'))
      const outcome = await session.exec({ argv: ['sh', '-c', 'ls /workspace; ls /sys/class/net'] })
      expect((await containers()).length).toBe(before[0]! + 1)
      return text(outcome.stdout)
    })
    expect(seen).toBe('check\nlo\n')
    expect([(await containers()).length, (await volumes()).length]).toEqual(before)
  }, 120_000)

  test('of work that throws is gone too', async () => {
    const projectId = await project()
    const before = (await volumes()).length
    const failed = world.sandbox.withFreshSandbox(projectId, async () => {
      throw new Error('the check broke')
    })
    await expect(failed).rejects.toThrow('the check broke')
    expect((await volumes()).length).toBe(before)
  }, 120_000)
})

test('what the container wrote is read by number, time and stream', async () => {
  const projectId = await project()
  const before = new Date(Date.now() - 60_000).toISOString()
  expect(await world.sandbox.logs(owner, projectId, { tail: 10, stream: 'both' })).toEqual({ lines: [], dropped: 0 })
  await world.sandbox.start(owner, projectId)
  const linesOf = async (query: Partial<LogQuery>) =>
    (await world.sandbox.logs(owner, projectId, { tail: 10, stream: 'both', ...query })).lines
  expect(await linesOf({})).toEqual(['supervisor ready'])
  expect(await linesOf({ stream: 'stdout', since: before })).toEqual(['supervisor ready'])
  expect(await linesOf({ stream: 'stderr' })).toEqual([])
  expect(await linesOf({ until: before })).toEqual([])
  expect(await linesOf({ since: new Date(Date.now() + 60_000).toISOString() })).toEqual([])
}, 60_000)

test('the engine’s health is told, and without an engine everything says so', async () => {
  expect(world.sandbox.engineState()).toMatchObject({ name: 'engine', status: 'ok' })
  const projectId = await project()
  await expect(world.sandbox.session(projectId)).resolves.toBeDefined()
  await world.sandbox.stop(house, projectId)
}, 60_000)
