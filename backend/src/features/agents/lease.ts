import type { RunId } from '@guildhall/protocol/ids.ts'
import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { runTable } from './table.ts'

/** A worker that does not beat for this long has lost its run to whoever comes first. */
export const leaseMs = 3_000
export const beatMs = 1_000

/** Thrown where a write finds that another worker holds the run: stop at once, touch nothing more. */
export class LeaseLost extends Error {
  constructor(runId: string, epoch: number) {
    super(`run ${runId} is no longer held with epoch ${epoch}`)
    this.name = 'LeaseLost'
  }
}

export interface Held {
  id: RunId
  epoch: number
}

const leaseEnd = sql`now() + make_interval(secs => ${leaseMs / 1_000})`

/** Queued, or left by a worker that stopped beating. */
const isFree = sql`(r.state = 'queued' or (r.state = 'running' and (r.lease_until is null or r.lease_until < now())))`
const busy = sql`select project_id, count(*)::int as runs from ${runTable}
  where state = 'running' and lease_until >= now() group by project_id`

/**
 * Takes the next run: of the project with the fewest at work, what was begun before what was not, then by priority and
 * age (a minute waited weighs like one step of priority). One claim at a time, so that two workers never count the
 * same free place of a project; null when there is nothing to do.
 */
export async function claimNext(
  tx: Db,
  { worker, perProject }: { worker: string; perProject: number },
): Promise<Held | null> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext('agents.claim'))`)
  const result = await tx.execute<{ id: RunId; epoch: number }>(sql`
    with busy as (${busy}),
    next as (
      select r.id from ${runTable} r left join busy on busy.project_id = r.project_id
      where ${isFree} and coalesce(busy.runs, 0) < ${perProject}
      order by coalesce(busy.runs, 0), (r.state = 'running') desc,
        r.priority + extract(epoch from now() - r.queued_at) / 60 desc, r.id
      limit 1 for update of r skip locked
    )
    update ${runTable} r set state = 'running', epoch = r.epoch + 1, lease_until = ${leaseEnd}, worker = ${worker},
      started_at = coalesce(r.started_at, now()), updated_at = now()
    from next where r.id = next.id returning r.id, r.epoch`)
  return result.rows[0] ?? null
}

/** Runs that a worker could take right now: what the sweep rings for. */
export async function listClaimable(db: Db, perProject: number): Promise<Held[]> {
  const result = await db.execute<{ id: RunId; epoch: number }>(sql`
    with busy as (${busy})
    select r.id, r.epoch from ${runTable} r left join busy on busy.project_id = r.project_id
    where ${isFree} and coalesce(busy.runs, 0) < ${perProject} order by r.queued_at limit 100`)
  return result.rows
}

const isOurs = ({ id, epoch }: Held) =>
  and(eq(runTable.id, id), eq(runTable.epoch, epoch), eq(runTable.state, 'running'))

/**
 * Stands before every write of a run: its row is locked until the transaction ends, so nobody takes the run over in
 * the middle. Throws LeaseLost. Changes nothing; that the worker is alive is said by its beat.
 */
export async function fence(tx: Db, held: Held): Promise<void> {
  const [row] = await tx.select({ id: runTable.id }).from(runTable).where(isOurs(held)).for('no key update')
  if (!row) throw new LeaseLost(held.id, held.epoch)
}

/** Says that the worker is alive. Throws LeaseLost. Answers whether somebody asked the run to stop. */
export async function hold(tx: Db, held: Held): Promise<{ isCancelled: boolean }> {
  const [row] = await tx
    .update(runTable)
    .set({ leaseUntil: leaseEnd })
    .where(isOurs(held))
    .returning({ cancelRequestedAt: runTable.cancelRequestedAt })
  if (!row) throw new LeaseLost(held.id, held.epoch)
  return { isCancelled: row.cancelRequestedAt !== null }
}

/** Hands a run back at once, for the next worker to go on. */
export async function release(tx: Db, held: Held): Promise<void> {
  await tx
    .update(runTable)
    .set({ leaseUntil: sql`now() - interval '1 second'` })
    .where(isOurs(held))
}
