import type { ProjectId, SlotId } from '@guildhall/protocol/ids.ts'
import type { StatsPoint, StatsQuery } from '@guildhall/protocol/sandbox.ts'
import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import type { Database, Db } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import type { Keeper } from './keeper.ts'
import type { Sessions } from './sessions.ts'
import type { KeptSlot } from './store.ts'
import { statsTable as stats } from './table.ts'

const everyMs = 5_000
const keptMs = 24 * 3_600_000
const forgetEveryMs = 10 * 60_000
const maxPoints = 1_000

/** Notes what each kept sandbox uses. In the database, so that it survives a restart and every process can show it. */
export function createStatsSeries({
  db,
  keeper,
  sessions,
  log,
}: {
  db: Database
  keeper: Keeper
  sessions: Sessions
  log: Log
}) {
  const looking = new Set<SlotId>()
  /** Processor time is a sum since the start of the container: what was used is the difference of two looks. */
  const last = new Map<SlotId, { cpuUs: number; atMs: number }>()
  let forgotAtMs = 0

  async function note({ id, projectId }: KeptSlot): Promise<void> {
    const { cpuUs, memoryBytes, pids, diskUsedBytes } = await sessions.of(id).stats()
    const atMs = Date.now()
    const before = last.get(id)
    if (cpuUs === null || memoryBytes === null || pids === null) return
    last.set(id, { cpuUs, atMs })
    // The first look has nothing to compare with, and a container that began anew counts from nothing.
    if (!before || cpuUs < before.cpuUs) return
    const cpus = (cpuUs - before.cpuUs) / 1_000 / Math.max(1, atMs - before.atMs)
    const point = { projectId, at: new Date(atMs), cpus, memoryBytes, pids, diskUsedBytes }
    await db.system((tx) => tx.insert(stats).values(point).onConflictDoNothing())
  }

  async function noteAll(): Promise<void> {
    const slots = keeper.kept()
    const ids = new Set(slots.map(({ id }) => id))
    for (const id of last.keys()) if (!ids.has(id)) last.delete(id)
    for (const slot of slots) {
      if (looking.has(slot.id)) continue
      looking.add(slot.id)
      note(slot)
        .catch((error: unknown) => {
          // One on its way up or down does not answer: then there is a hole in the series, as there should be.
          if (!isAppError(error)) log.error({ err: error, slotId: slot.id }, 'figures of a sandbox were not noted')
        })
        .finally(() => looking.delete(slot.id))
    }
    if (Date.now() - forgotAtMs < forgetEveryMs) return
    forgotAtMs = Date.now()
    await db.system((tx) => tx.delete(stats).where(lt(stats.at, new Date(Date.now() - keptMs))))
  }

  const timer = setInterval(() => {
    noteAll().catch((error: unknown) => log.error({ err: error }, 'old figures of sandboxes were not forgotten'))
  }, everyMs)
  return { close: () => clearInterval(timer) }
}

/** Averages over steps, oldest first. The caller has asked for permission. */
export async function readSeries(db: Db, projectId: ProjectId, { range, step }: StatsQuery): Promise<StatsPoint[]> {
  const stepS = Math.max(step, Math.ceil(range / maxPoints))
  const start = sql<Date>`date_bin(${stepS} * interval '1 second', ${stats.at}, 'epoch')`.mapWith(stats.at)
  const mean = (
    column: typeof stats.cpus | typeof stats.memoryBytes | typeof stats.pids | typeof stats.diskUsedBytes,
  ) => sql`avg(${column})`.mapWith(Number)
  const rows = await db
    .select({
      at: start,
      cpus: mean(stats.cpus),
      memoryBytes: mean(stats.memoryBytes),
      pids: mean(stats.pids),
      diskUsedBytes: mean(stats.diskUsedBytes),
    })
    .from(stats)
    .where(and(eq(stats.projectId, projectId), gte(stats.at, new Date(Date.now() - range * 1_000))))
    .groupBy(sql`1`)
    .orderBy(asc(sql`1`))
  return rows.map(({ at, ...point }) => ({ at: at.toISOString(), ...point }))
}
