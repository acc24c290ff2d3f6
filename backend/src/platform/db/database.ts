import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Topic } from '@guildhall/protocol/events.ts'
import pg from 'pg'
import { companionHere } from './companion.ts'
import { type Db, handleOf } from './handle.ts'

export type { Db } from './handle.ts'

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

/**
 * No connection within its time: the database is away, or everyone waits for it. Not an AppError, since a run or a job
 * must not take it for an answer: it is tried again.
 */
export class DatabaseAway extends Error {
  constructor(cause: unknown) {
    super('no connection to the database', { cause })
    this.name = 'DatabaseAway'
  }
}

/** PostgreSQL's words for a server that goes down or a connection that broke, and the driver's own. */
const lostCode = /^(?:57P0[123]|08...|ECONNRESET|EPIPE)$/
const lostMessage = /^Connection terminated|^Client has encountered a connection error/

/** Whether the database could not be reached, or went away in the middle of the work. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  const isLost = (typeof code === 'string' && lostCode.test(code)) || lostMessage.test(error.message)
  return error instanceof DatabaseAway || isLost || isDatabaseAway(error.cause)
}

const maxAttempts = 4
/** The wait for one that is free counts too. */
const connectTimeoutMs = 10_000
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
  const poolOf = (connectionString: string) => {
    const pool = new pg.Pool({
      connectionString,
      max: maxConnections,
      // A run that waits for its model must not find its connection, and all that was planned on it, gone.
      min: 2,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    })
    // A connection that loses its server is replaced. Without listeners the process would die: of the pool for one that
    // is idle, of its own for one in use, where the statement under way fails and tells whoever waits for it.
    pool.on('error', onPoolError)
    pool.on('connect', (connection) => connection.on('error', () => undefined))
    return pool
  }
  const pools = { app: poolOf(appUrl), system: poolOf(systemUrl) }
  const listeners = new Set<(topics: Topic[]) => void>()

  async function transact<T>(pool: pg.Pool, actorId: string | null, work: (tx: Db) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await transactOnce(pool, actorId, work)
      } catch (error) {
        // Of transactions that wait for each other PostgreSQL undoes one; nothing of it happened, so it begins again.
        if (attempt === maxAttempts || !isDeadlock(error)) throw error
      }
    }
  }

  async function transactOnce<T>(pool: pg.Pool, actorId: string | null, work: (tx: Db) => Promise<T>): Promise<T> {
    const topics = new Set<Topic>()
    const connection = await pool.connect().catch((error: unknown) => {
      throw new DatabaseAway(error)
    })
    const tx = handleOf(connection)
    touchedTopics.set(tx, topics)
    try {
      // One message for both: every transaction begins so.
      await connection.query(actorId ? `begin; set local app.actor = ${pg.escapeLiteral(actorId)}` : 'begin')
      const result = await work(tx)
      // Before sign-in nobody is there whose request could have one.
      const companion = pool === pools.app && actorId === null ? undefined : companionHere()
      await (companion ? companion.around(tx, () => commit(connection)) : commit(connection))
      connection.release()
      if (topics.size > 0) for (const listener of listeners) listener([...topics])
      return result
    } catch (error) {
      await undo(connection)
      throw error
    }
  }

  return {
    as: (actor, work) =>
      actor.kind === 'system' ? transact(pools.system, null, work) : transact(pools.app, personBehind(actor), work),
    system: (work) => transact(pools.system, null, work),
    anonymous: (work) => transact(pools.app, null, work),
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

/** PostgreSQL answers a commit after a failed statement by undoing everything, which nobody may take for a success. */
async function commit(connection: pg.PoolClient): Promise<void> {
  const { command } = await connection.query('commit')
  if (command !== 'COMMIT') throw new Error('a failed statement was passed over: the transaction was undone')
}

/** Back to the pool, or away with it when not even that can be said to the server, which then undoes by itself. */
async function undo(connection: pg.PoolClient): Promise<void> {
  await connection.query('rollback').then(
    () => connection.release(),
    (error: Error) => connection.release(error),
  )
}
