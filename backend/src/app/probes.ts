import type { HealthPart } from '@guildhall/protocol/health.ts'
import type { ModelList } from '@guildhall/protocol/llm.ts'
import { Redis } from 'ioredis'
import type { Database } from '../platform/db/database.ts'
import type { HealthProbe } from './health.ts'

/**
 * What readiness asks. Without a container engine or a model the rest works, so those never make it red: they are
 * `off` and say what is missing. Sandboxes whose walls do not stand make it red: then none is started.
 */
export function createProbes({
  db,
  redisUrl,
  engineState,
  wallsState,
  models,
}: {
  db: Database
  redisUrl: string | null
  engineState: () => HealthPart | Promise<HealthPart>
  wallsState: () => Omit<HealthPart, 'name'>
  models: () => ModelList
}): { probes: HealthProbe[]; close: () => void } {
  const redis = redisUrl ? createRedisPing(redisUrl) : null
  const pingDatabase = () => db.ping()
  const probes: HealthProbe[] = [
    {
      name: 'PostgreSQL',
      async probe() {
        await pingDatabase()
        return { status: 'ok', detail: 'answers' }
      },
    },
    {
      name: 'queue',
      async probe() {
        await (redis ? redis.ping() : pingDatabase())
        return { status: 'ok', detail: redis ? 'on Redis' : 'on PostgreSQL' }
      },
    },
    {
      name: 'Redis',
      async probe() {
        if (!redis) return { status: 'off', detail: 'not configured (REDIS_URL); not needed for one process' }
        await redis.ping()
        return { status: 'ok', detail: 'answers' }
      },
    },
    {
      name: 'container engine',
      async probe() {
        const { status, detail } = await engineState()
        return { status: status === 'ok' ? 'ok' : 'off', detail }
      },
    },
    { name: 'sandbox walls', probe: async () => wallsState() },
    {
      name: 'models',
      async probe() {
        const available = models().items.filter((model) => model.available)
        if (available.length === 0) return { status: 'off', detail: 'no provider key is set (ANTHROPIC_API_KEY)' }
        return { status: 'ok', detail: available.map(({ label }) => label).join(', ') }
      },
    },
  ]
  return { probes, close: () => redis?.close() }
}

/** A connection of its own that fails at once while Redis is away, and comes back by itself. */
function createRedisPing(url: string) {
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 200, 2_000),
  })
  // Each failure is told by the probe that meets it; without a listener the process would die.
  client.on('error', () => undefined)
  return {
    async ping(): Promise<void> {
      try {
        if (client.status === 'wait' || client.status === 'end') await client.connect()
        await client.ping()
      } catch (error) {
        // The client's own words are about its streams.
        throw new Error('Redis does not answer', { cause: error })
      }
    },
    close: () => client.disconnect(),
  }
}
