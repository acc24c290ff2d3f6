import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { type RedisServer, startRedis } from '../../testing/redis.ts'
import { createLog } from '../log.ts'
import { createQueue, type JobName } from './queue.ts'

let database: TestDatabase
let redis: RedisServer
beforeAll(async () => {
  database = await freshDatabase()
  redis = await startRedis()
})
afterAll(async () => {
  await database?.close()
  await redis?.close()
})

const log = createLog({ level: 'silent' })
const until = (isTrue: () => boolean) => expect.poll(isTrue, { timeout: 25_000, interval: 10 }).toBe(true)

// One contract, two backends: whatever one of them does differently must show here.
describe.each(['postgres', 'redis'] as const)('the queue on %s', (kind) => {
  const open = () =>
    createQueue({ systemUrl: database.systemUrl, redisUrl: kind === 'redis' ? redis.url : null, log, graceMs: 500 })

  /** A queue, and what its worker for `name` saw. Names differ by test, so tests share a server. */
  function listen(name: JobName, handler: (id: string) => Promise<void> | void, concurrency = 10) {
    const queue = open()
    const seen: string[] = []
    queue.work(
      name,
      async (id) => {
        seen.push(id)
        await handler(id)
      },
      { concurrency },
    )
    return { queue, seen }
  }

  test('2,000 rings from another process of the house arrive once each', async () => {
    const { queue, seen } = listen('agent.run', () => undefined)
    const ringer = open()
    const ids = Array.from({ length: 2_000 }, (_, index) => `run-${index}`)
    for (let start = 0; start < ids.length; start += 50) {
      await Promise.all(ids.slice(start, start + 50).map((id) => ringer.ring('agent.run', id)))
    }
    await until(() => seen.length >= ids.length)
    expect([...seen].sort()).toEqual([...ids].sort())
    await ringer.close()
    await queue.close()
  })

  test('the same id twice is one ring while it waits, and counts again once a handler began', async () => {
    let open = () => undefined as void
    const gate = new Promise<void>((resolve) => (open = resolve))
    const early = createQueue({ systemUrl: database.systemUrl, redisUrl: kind === 'redis' ? redis.url : null, log })
    await early.ring('task.check', 'a')
    await early.ring('task.check', 'a')
    await early.ring('task.check', 'b')
    const { queue, seen } = listen('task.check', () => gate)
    await until(() => seen.length === 2)
    await early.ring('task.check', 'a')
    await early.ring('task.check', 'a')
    open()
    await until(() => seen.length === 3)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(seen.sort()).toEqual(['a', 'a', 'b'])
    await early.close()
    await queue.close()
  })

  test('two handlers of one id never run at the same time in a process', async () => {
    let running = 0
    let most = 0
    const { queue, seen } = listen('task.merge', async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 100))
      running -= 1
    })
    await queue.ring('task.merge', 'p')
    await until(() => seen.length === 1)
    await queue.ring('task.merge', 'p')
    await until(() => seen.length === 2 && running === 0)
    expect(most).toBe(1)
    await queue.close()
  })

  test('a delayed ring comes late and does not hold back one for now; smaller priorities go first', async () => {
    const ringer = open()
    await ringer.ring('preview.start', 'slow', { delayMs: 400 })
    await ringer.ring('preview.start', 'low', { priority: 9 })
    await ringer.ring('preview.start', 'high', { priority: 2 })
    await ringer.ring('preview.start', 'slow', { priority: 10 })
    const { queue, seen } = listen('preview.start', () => undefined, 1)
    await until(() => seen.length === 4)
    expect(seen).toEqual(['high', 'low', 'slow', 'slow'])
    await ringer.close()
    await queue.close()
  })

  test('a handler that throws is over, and the next ring is answered', async () => {
    const { queue, seen } = listen('project.remove', () => {
      throw new Error('on purpose')
    })
    await queue.ring('project.remove', 'x')
    await until(() => seen.length === 1)
    await queue.ring('project.remove', 'x')
    await until(() => seen.length === 2)
    await queue.close()
  })

  test('a worker killed with -9 in a job: a second ring is answered at once, the first one again by the queue', async () => {
    const child = spawn(process.execPath, [new URL('./queue.test-worker.ts', import.meta.url).pathname], {
      env: { ...process.env, SYSTEM_URL: database.systemUrl, REDIS_URL: kind === 'redis' ? redis.url : '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ringer = open()
    await saidBegun(child)
    await ringer.ring('project.provision', 'house')
    await saidBegun(child)
    child.kill('SIGKILL')
    await once(child, 'exit')

    const { queue, seen } = listen('project.provision', () => undefined)
    const killedAt = Date.now()
    await ringer.ring('project.provision', 'house')
    await until(() => seen.length === 1)
    expect(Date.now() - killedAt).toBeLessThan(2_000)
    await until(() => seen.length === 2)
    expect(seen).toEqual(['house', 'house'])
    await ringer.close()
    await queue.close()
  })
})

test('without its server a ring is lost in silence and within its time', async () => {
  const gone = await startRedis()
  const queue = createQueue({ systemUrl: database.systemUrl, redisUrl: gone.url, log, graceMs: 100 })
  await gone.close()
  await queue.ring('agent.run', 'nobody')
  await queue.close()
})

async function saidBegun(child: ChildProcess) {
  await once(child.stdout!, 'data')
}
