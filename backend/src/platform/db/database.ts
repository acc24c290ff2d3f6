import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Topic } from '@guildhall/protocol/events.ts'
import { sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'

/** A connection or a transaction; a store function cannot tell which, so its caller decides what is atomic. */
export type Db = Pick<
  NodePgDatabase,
  'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | 'execute' | '$with' | 'with'
>

/** The person whose rights count: an agent never has more than the person it works for. */
export function personBehind(actor: Actor): string {
  if (actor.kind === 'user') return actor.userId
  if (actor.kind === 'agent') return actor.onBehalfOf
  return ''
}

export interface Database {
  /**
   * One transaction with the rights of `actor`: role `app` under row-level security for people and agents, role
   * `system` for the house. After a deadlock `work` is called again, so it does nothing outside of the transaction that
   * cannot be done twice. Topics touched by `appendEvent` are announced after the commit, never before.
   */
  as<T>(actor: Actor, work: (tx: Db) => Promise<T>): Promise<T>
  /** `as` with the system actor: sweeps, the scheduler, the merge queue. */
  system<T>(work: (tx: Db) => Promise<T>): Promise<T>
  /** One transaction of role `app` with no actor: before sign-in. Reads 0 rows of every tenant table. */
  anonymous<T>(work: (tx: Db) => Promise<T>): Promise<T>
  /** Called after commit with the topics that got new events. Returns the way to stop listening. */
  onEvents(listener: (topics: Topic[]) => void): () => void
  /** A plain query that says whether the server answers. */
  ping(): Promise<void>
  close(): Promise<void>
}

const maxAttempts = 4
const deadlockDetected = '40P01'
const isDeadlock = (error: unknown): boolean =>
  error instanceof Error && ((error as { code?: unknown }).code === deadlockDetected || isDeadlock(error.cause))

/** Topics with new events, kept beside the transaction that wrote them until it commits. */
const touchedTopics = new WeakMap<object, Set<Topic>>()

export function touchTopic(tx: Db, topic: Topic): void {
  const topics = touchedTopics.get(tx)
  if (!topics) throw new Error('appendEvent needs a transaction of Database.as / system / anonymous')
  topics.add(topic)
}

/** `appUrl` is the role under row-level security, `systemUrl` the house's own. Pools are bounded; both are closed here. */
export function createDatabase({
  appUrl,
  systemUrl,
  maxConnections = 12,
  onPoolError = () => undefined,
}: {
  appUrl: string
  systemUrl: string
  maxConnections?: number
  onPoolError?: (error: Error) => void
}): Database {
  const pools = {
    app: new pg.Pool({
      connectionString: appUrl,
      max: maxConnections,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    }),
    system: new pg.Pool({
      connectionString: systemUrl,
      max: maxConnections,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    }),
  }
  // An idle client that loses its server is replaced by the pool; without a listener the process would die.
  pools.app.on('error', onPoolError)
  pools.system.on('error', onPoolError)
  const app = drizzle(pools.app, { casing: 'snake_case' })
  const system = drizzle(pools.system, { casing: 'snake_case' })
  const listeners = new Set<(topics: Topic[]) => void>()

  async function transact<T>(db: NodePgDatabase, actorId: string | null, work: (tx: Db) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await transactOnce(db, actorId, work)
      } catch (error) {
        // Of transactions that wait for each other PostgreSQL undoes one; nothing of it happened, so it begins again.
        if (attempt === maxAttempts || !isDeadlock(error)) throw error
      }
    }
  }

  async function transactOnce<T>(db: NodePgDatabase, actorId: string | null, work: (tx: Db) => Promise<T>): Promise<T> {
    const topics = new Set<Topic>()
    const result = await db.transaction(async (tx) => {
      touchedTopics.set(tx, topics)
      if (actorId) await tx.execute(sql`select set_config('app.actor', ${actorId}, true)`)
      return work(tx)
    })
    if (topics.size > 0) for (const listener of listeners) listener([...topics])
    return result
  }

  return {
    as: (actor, work) =>
      actor.kind === 'system' ? transact(system, null, work) : transact(app, personBehind(actor), work),
    system: (work) => transact(system, null, work),
    anonymous: (work) => transact(app, null, work),
    onEvents(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async ping() {
      await pools.app.query('select 1')
    },
    async close() {
      await Promise.all([pools.app.end(), pools.system.end()])
    },
  }
}
