import {
  createPostgresBackend,
  createRedisBackend,
  type Job,
  type Queue as BullQueue,
  withBackend,
  type Worker,
} from 'bullmq'
import { Redis } from 'ioredis'
import pg from 'pg'
import { newId } from '../ids.ts'
import type { Log } from '../log.ts'
import { queueSchema } from './schema.ts'

export const jobNames = [
  'project.provision',
  'project.remove',
  'agent.run',
  'task.check',
  'task.merge',
  'preview.start',
] as const
export type JobName = (typeof jobNames)[number]

/**
 * A doorbell, not a store: a job carries an id and nothing else. The row in PostgreSQL says what to do, its lease
 * says who may do it, and a sweep rings again for rows that nobody came for.
 */
export interface Queue {
  /**
   * Rings for `id`. While a ring for the same id waits, another is ignored; from the moment a handler begins, a new
   * ring counts again, so no change after the handler's first look is missed. Smaller `priority` goes first.
   * Never throws: what is rung for is committed already, so a ring that gets lost is logged and left to the sweep.
   */
  ring(name: JobName, id: string, options?: { delayMs?: number; priority?: number }): Promise<void>
  /**
   * Answers rings; at most once per name in a process. A handler may run twice for one ring (a worker died) and must
   * then do no harm. In one process two handlers of the same id follow each other. What it throws is logged.
   */
  work(name: JobName, handler: (id: string) => Promise<void>, options: { concurrency: number }): void
  /** Takes no more rings and waits for running handlers, up to `graceMs`. */
  close(): Promise<void>
}

type Backend = ReturnType<typeof onPostgres> | ReturnType<typeof onRedis>

/** A worker that stops renewing for so long is taken for dead by the queue; our own leases notice earlier. */
const lockMs = 10_000
const stalledCheckMs = 5_000
const ringTimeoutMs = 3_000

/** On Redis when `redisUrl` is given, else on PostgreSQL (`systemUrl`, in its own schema). */
export function createQueue({
  systemUrl,
  redisUrl,
  log,
  graceMs = 10_000,
}: {
  systemUrl: string
  redisUrl?: string | null
  log: Log
  graceMs?: number
}): Queue {
  // Every object that waits says so every 100 ms while its server is away; one line a few seconds is enough.
  let quietUntil = 0
  const onError = (error: Error) => {
    if (Date.now() < quietUntil) return
    quietUntil = Date.now() + 5_000
    // Only the words: the driver's errors carry its whole client.
    log.warn({ reason: error.message }, 'the queue has lost its server')
  }
  const backend: Backend = redisUrl ? onRedis(redisUrl, onError) : onPostgres(systemUrl, onError)
  const queues = new Map<JobName, BullQueue>()
  const workers = new Map<JobName, Worker>()
  let isClosing = false

  const queueOf = (name: JobName) => {
    const known = queues.get(name)
    if (known) return known
    const made = backend.queue(name)
    made.on('error', onError)
    queues.set(name, made)
    return made
  }

  return {
    async ring(name, id, { delayMs = 0, priority = 0 } = {}) {
      if (isClosing) return
      // A delayed ring must not swallow one that is meant for now.
      const deduplication = { id: delayMs > 0 ? `later ${id}` : id }
      const added = queueOf(name).add(
        name,
        { id },
        {
          // Ours, since BullMQ would make a sequence for its own and this role may not create anything.
          jobId: newId(),
          delay: delayMs,
          priority,
          deduplication,
          removeOnComplete: true,
          removeOnFail: true,
        },
      )
      try {
        await within(ringTimeoutMs, added)
      } catch (error) {
        log.warn({ reason: String(error), job: name, id }, 'a ring was lost; the sweep will find its row')
      }
    },
    work(name, handler, { concurrency }) {
      if (workers.has(name)) throw new Error(`${name} is answered already`)
      const inTurn = createTurns()
      const worker = backend.worker(
        name,
        async (job: Job<{ id: string }>) => {
          await job.removeDeduplicationKey()
          await inTurn(job.data.id, () => handler(job.data.id)).catch((error: unknown) => {
            log.error({ err: error, job: name, id: job.data.id }, 'a job failed')
          })
        },
        // A job whose worker died is given to another however often that happens: the row decides, not the count.
        { concurrency, lockDuration: lockMs, stalledInterval: stalledCheckMs, maxStalledCount: 1_000 },
      )
      worker.on('error', onError)
      workers.set(name, worker)
    },
    async close() {
      isClosing = true
      await Promise.all(
        [...workers.values()].map((worker) =>
          within(graceMs, worker.close()).catch((error: unknown) => {
            log.warn({ reason: String(error), job: worker.name }, 'a job was still at work when the queue closed')
            return worker.close(true)
          }),
        ),
      )
      await Promise.all([...queues.values()].map((queue) => queue.close()))
      await backend.close()
    },
  }
}

interface WorkerSettings {
  concurrency: number
  lockDuration: number
  stalledInterval: number
  maxStalledCount: number
}
type Processor = (job: Job<{ id: string }>) => Promise<void>

function onPostgres(url: string, onError: (error: Error) => void) {
  const { Queue, Worker } = withBackend(createPostgresBackend)
  const pool = new pg.Pool({
    connectionString: url,
    // BullMQ cannot choose the schema on a pool that it did not make.
    options: `-c search_path=${queueSchema}`,
    // Every worker keeps one connection for LISTEN; the others share the rest.
    max: jobNames.length + 4,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
  })
  pool.on('error', onError)
  pool.setMaxListeners(0) // each BullMQ object listens on it
  return {
    queue: (name: JobName): BullQueue => new Queue(name, { connection: pool }) as never,
    worker: (name: JobName, process: Processor, settings: WorkerSettings): Worker =>
      new Worker(name, process, { connection: pool, ...settings }) as never,
    close: () => pool.end(),
  }
}

function onRedis(url: string, onError: (error: Error) => void) {
  const { Queue, Worker } = withBackend(createRedisBackend)
  // Workers wait for Redis however long it is away (`null`); a ring has its own limit.
  const connection = new Redis(url, { maxRetriesPerRequest: null })
  connection.on('error', onError)
  return {
    queue: (name: JobName): BullQueue => new Queue(name, { connection }) as never,
    worker: (name: JobName, process: Processor, settings: WorkerSettings): Worker =>
      new Worker(name, process, { connection, ...settings }) as never,
    async close() {
      connection.disconnect()
    },
  }
}

/** Work under the same key follows each other; different keys do not wait. */
function createTurns() {
  const last = new Map<string, Promise<void>>()
  return (key: string, work: () => Promise<void>): Promise<void> => {
    const mine = (last.get(key) ?? Promise.resolve()).catch(() => undefined).then(work)
    last.set(key, mine)
    const clear = () => {
      if (last.get(key) === mine) last.delete(key)
    }
    mine.then(clear, clear)
    return mine
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
