import { createHmac } from 'node:crypto'
import type { Actor } from '@guildhall/protocol/actor.ts'
import { and, eq, lt, sql } from 'drizzle-orm'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { accompany, Companion } from '../db/companion.ts'
import type { Database, Db } from '../db/database.ts'
import { AppError, invalid } from '../errors.ts'
import type { Log } from '../log.ts'
import { idempotencyTable } from './table.ts'

const keptHours = 24
/** Longer than a request takes; a key without an answer after it belongs to a process that died. */
const answersWithinMs = 30_000
const writes = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const isKey = (key: string) => /^[\x21-\x7e]{8,128}$/.test(key)

interface Keyed {
  actor: Actor & { kind: 'user' }
  key: string
  fingerprint: string
  companion: Companion
}

/**
 * `Idempotency-Key` on every write of a signed-in person. What is promised, for a day, for one person and key:
 *
 * - The effect happens at most once. The key is written in the same transaction as the effect (the first one of the
 *   request that changes anything), so there is never one without the other, whatever dies when; of twins that run at
 *   the same time the database lets one commit.
 * - The same request again gets the same answer, with `Idempotency-Replayed: true`. Another request under the same key
 *   is refused (422). While the first is under way, or its answer may still come, a twin is told so (409, with
 *   Retry-After). When a crash came between effect and answer, the twin is told that it was carried out (410).
 * - A request that changed nothing, such as one that was refused, leaves no key and is decided anew.
 *
 * What follows an effect outside of the database is done by sweeps from its rows, not by the request.
 */
export function addIdempotency(
  app: FastifyInstance,
  { db, secret, log }: { db: Database; secret: string; log: Log },
): void {
  const keyed = new WeakMap<object, Keyed>()
  /** Requests of this process that are under way, as `<user> <key>`. */
  const running = new Set<string>()
  const nameOf = ({ actor, key }: Keyed) => `${actor.userId} ${key}`
  const fingerprintOf = ({ method, url, body }: FastifyRequest) =>
    createHmac('sha256', secret)
      .update(JSON.stringify([method, url, body ?? null]))
      .digest('base64url')

  async function open(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const key = request.headers['idempotency-key']
    if (key === undefined || !writes.has(request.method)) return undefined
    const { access } = request.routeOptions.config
    if (access === undefined || access === 'public') return undefined
    if (typeof key !== 'string' || !isKey(key))
      throw new AppError('bad_request', 'Idempotency-Key takes 8 to 128 visible ASCII characters')
    const { actor } = request
    const fingerprint = fingerprintOf(request)
    const mine: Keyed = { actor, key, fingerprint, companion: new Companion((tx) => take(tx, mine)) }
    const known = await db.as(actor, (tx) => find(tx, mine))
    if (known && known.fingerprint !== fingerprint)
      throw invalid('This Idempotency-Key was used for another request', { 'Idempotency-Key': 'is taken' })
    const status = known?.status ?? null
    if (known && status !== null) return replay(reply, { ...known, status })
    if (running.has(nameOf(mine)) || (known && Date.now() - known.createdAt.getTime() < answersWithinMs))
      throw stillRunning()
    if (known) throw new AppError('gone', 'This request was carried out, but its answer was lost. Load again.')
    running.add(nameOf(mine))
    keyed.set(request.raw, mine)
    return undefined
  }

  app.addHook('preHandler', open)
  // With a callback, because only what `done` sets going is accompanied.
  app.addHook('preHandler', (request, _reply, done) => {
    const mine = keyed.get(request.raw)
    if (mine) accompany(mine.companion, done)
    else done()
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const mine = keyed.get(request.raw)
    if (!mine) return payload
    mine.companion.end()
    // Without it the twin hears 410 instead of the answer; this caller shall have it all the same.
    if (mine.companion.isWritten)
      await db
        .as(mine.actor, (tx) => keepAnswer(tx, mine, reply, payload))
        .catch((error: unknown) => log.error({ err: error, requestId: request.id }, 'an answer could not be kept'))
    return payload
  })
  app.addHook('onResponse', async (request) => {
    const mine = keyed.get(request.raw)
    if (mine) running.delete(nameOf(mine))
  })
}

const stillRunning = () => new AppError('conflict', 'The same request is still under way', { retryAfterS: 1 })

const of = ({ actor, key }: Keyed) => and(eq(idempotencyTable.userId, actor.userId), eq(idempotencyTable.key, key))

/** Also forgets this person's keys of yesterday. */
async function find(tx: Db, mine: Keyed) {
  await tx
    .delete(idempotencyTable)
    .where(
      and(
        eq(idempotencyTable.userId, mine.actor.userId),
        lt(idempotencyTable.createdAt, sql`now() - make_interval(hours => ${keptHours})`),
      ),
    )
  const [row] = await tx.select().from(idempotencyTable).where(of(mine))
  return row
}

/** Waits for a twin that has written the key and not committed yet. */
async function take(tx: Db, { actor: { userId }, key, fingerprint }: Keyed): Promise<void> {
  const taken = await tx
    .insert(idempotencyTable)
    .values({ userId, key, fingerprint })
    .onConflictDoNothing()
    .returning({ key: idempotencyTable.key })
  if (taken.length === 0) throw stillRunning()
}

async function keepAnswer(tx: Db, mine: Keyed, reply: FastifyReply, payload: unknown): Promise<void> {
  const contentType = reply.getHeader('content-type')
  const answer = {
    status: reply.statusCode,
    contentType: typeof contentType === 'string' ? contentType : null,
    body: typeof payload === 'string' ? payload : null,
  }
  await tx.update(idempotencyTable).set(answer).where(of(mine))
}

function replay(reply: FastifyReply, answer: { status: number; contentType: string | null; body: string | null }) {
  reply.code(answer.status).header('idempotency-replayed', 'true')
  if (answer.contentType !== null) reply.header('content-type', answer.contentType)
  return reply.serializer((text: unknown) => text as string).send(answer.body ?? '')
}
