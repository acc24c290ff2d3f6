import type { ProjectId, SlotId } from '@guildhall/protocol/ids.ts'
import type { SandboxDisk, SandboxLimits, SandboxState } from '@guildhall/protocol/sandbox.ts'
import { and, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { AppError, conflict, notFound } from '../../platform/errors.ts'
import { slotTable } from './table.ts'

export type SlotRow = typeof slotTable.$inferSelect

/** The users that the image knows by name. */
const firstUid = 20_000
const lastUid = 20_999

export async function findSlot(db: Db, projectId: ProjectId): Promise<SlotRow | null> {
  const [row] = await db.select().from(slotTable).where(eq(slotTable.projectId, projectId))
  return row ?? null
}

export const listSlots = (db: Db, driver: string): Promise<SlotRow[]> =>
  db.select().from(slotTable).where(eq(slotTable.driver, driver))

/**
 * Makes the row of a slot with the lowest free uid; the engine's objects come after it, so that nothing exists in the
 * engine without a row. A project that has a slot by now keeps it: the answer is then that one.
 */
export async function insertSlot(
  tx: Db,
  slot: {
    id: SlotId
    projectId: ProjectId | null
    driver: string
    volumeName: string
    image: string
    limits: SandboxLimits
    keeper: string | null
  },
): Promise<{ row: SlotRow; isNew: boolean }> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('containers.uid', 0))`)
  if (slot.projectId) {
    await refuseAtRest(tx, slot.projectId)
    const known = await findSlot(tx, slot.projectId)
    if (known) return { row: known, isNew: false }
  }
  const free = await tx.execute<{ uid: number }>(
    sql`select candidate as uid from generate_series(${firstUid}::int, ${lastUid}::int) as candidate
        where not exists (select from ${slotTable} where ${slotTable.uid} = candidate) order by candidate limit 1`,
  )
  const uid = free.rows[0]?.uid
  if (uid === undefined) throw new AppError('unavailable', `There are ${lastUid - firstUid + 1} sandboxes already`)
  const keeperUntil = slot.keeper ? sql`now() + interval '15 seconds'` : null
  const [row] = await tx
    .insert(slotTable)
    .values({ ...slot, uid, state: 'creating', keeperUntil })
    .returning()
  return { row: row!, isNew: true }
}

/** Throws for a project in the archive and for one that is being deleted, whoever asks: its last container stays the last. */
async function refuseAtRest(tx: Db, projectId: ProjectId): Promise<void> {
  const found = await tx.execute<{ status: string }>(sql`select status from projects where id = ${projectId} for share`)
  const project = found.rows[0]
  if (!project || project.status === 'deleting') throw notFound('Project')
  if (project.status === 'archived')
    throw conflict('This project is archived and its sandbox rests. Take it out of the archive first.')
}

export type SlotChange = Partial<
  Pick<SlotRow, 'state' | 'error' | 'image' | 'driver' | 'volumeName' | 'disk' | 'startedAt' | 'stoppedAt'>
>

/** Applies a change under a row lock; null when the row is gone or says so already. */
export async function changeSlot(
  tx: Db,
  slotId: SlotId,
  change: SlotChange,
  onlyFrom?: readonly SandboxState[],
): Promise<SlotRow | null> {
  const [row] = await tx.select().from(slotTable).where(eq(slotTable.id, slotId)).for('update')
  if (!row || (onlyFrom && !onlyFrom.includes(row.state))) return null
  const isSame = Object.entries(change).every(
    ([name, value]) => name.endsWith('At') || row[name as keyof SlotRow] === value,
  )
  if (isSame) return null
  const [changed] = await tx.update(slotTable).set(change).where(eq(slotTable.id, slotId)).returning()
  return changed ?? null
}

export async function deleteSlot(tx: Db, slotId: SlotId): Promise<void> {
  await tx.delete(slotTable).where(eq(slotTable.id, slotId))
}

export type KeptSlot = { id: SlotId; projectId: ProjectId; limits: SandboxLimits; disk: SandboxDisk | null }

/** Renews the leases of `keeper` and takes those that nobody renewed; answers all that it holds now. */
export async function keepSlots(tx: Db, keeper: string, leaseMs: number): Promise<KeptSlot[]> {
  const now = sql`now()`
  const rows = await tx
    .update(slotTable)
    .set({ keeper, keeperUntil: sql`now() + ${leaseMs} * interval '1 millisecond'`, updatedAt: slotTable.updatedAt })
    .where(
      and(
        sql`${slotTable.projectId} is not null`,
        eq(slotTable.state, 'running'),
        or(eq(slotTable.keeper, keeper), isNull(slotTable.keeper), lt(slotTable.keeperUntil, now)),
      ),
    )
    .returning({ id: slotTable.id, projectId: slotTable.projectId, limits: slotTable.limits, disk: slotTable.disk })
  return rows.flatMap(({ projectId, ...slot }) => (projectId ? [{ ...slot, projectId }] : []))
}

/** Throw-away slots belong to the process that made them; while it lives they are renewed. */
export async function renewThrowaways(tx: Db, keeper: string, ids: SlotId[]): Promise<void> {
  if (ids.length === 0) return
  await tx
    .update(slotTable)
    .set({ keeperUntil: sql`now() + interval '15 seconds'`, updatedAt: slotTable.updatedAt })
    .where(and(inArray(slotTable.id, ids), eq(slotTable.keeper, keeper)))
}

/** Gives up leases at once, so that the next process need not wait for them to end. */
export async function releaseSlots(tx: Db, keeper: string): Promise<void> {
  await tx.update(slotTable).set({ keeper: null, keeperUntil: null }).where(eq(slotTable.keeper, keeper))
}

/** Slots without a project whose maker is gone: throw-aways of a crash, slots of deleted projects. */
export const abandonedSlots = (tx: Db, driver: string): Promise<SlotRow[]> =>
  tx
    .select()
    .from(slotTable)
    .where(
      and(
        eq(slotTable.driver, driver),
        isNull(slotTable.projectId),
        or(isNull(slotTable.keeperUntil), lt(slotTable.keeperUntil, sql`now()`)),
      ),
    )
