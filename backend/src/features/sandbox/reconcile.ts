import type { SlotId } from '@guildhall/protocol/ids.ts'
import type { SandboxState } from '@guildhall/protocol/sandbox.ts'
import type { Database } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import type { SandboxDriver, SlotTruth } from './driver.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Sessions } from './sessions.ts'
import { abandonedSlots, deleteSlot, listSlots, type SlotRow } from './store.ts'

const everyMs = 3_000
/** Another process may be at work on a sandbox in one of these states; after so long it is taken for dead. */
const transientStates: readonly SandboxState[] = ['creating', 'stopping']
const transientMs = 60_000
const doubtfulStates: readonly SandboxState[] = ['error', 'unhealthy']
const upStates: readonly SandboxState[] = ['running', 'unhealthy', 'creating', 'stopping']

/**
 * Brings rows in line with the engine, whose truth wins: every few seconds, and at once when the engine says that
 * something happened. Removes what has no row and rows that nobody wants any more.
 */
export function createReconciler({
  db,
  driver,
  lifecycle,
  sessions,
  log,
  sweepEveryMs = 60_000,
}: {
  db: Database
  driver: SandboxDriver
  lifecycle: Lifecycle
  sessions: Sessions
  log: Log
  sweepEveryMs?: number
}) {
  let engineProblem: string | null = 'The container engine has not been asked yet'
  let running: Promise<void> | null = null
  let wantsAgain = false
  let isClosed = false
  let lastSweep = 0
  /** Seen without a row once already: a wrong database for a moment must not cost anybody's files. */
  const suspects = new Set<SlotId>()

  async function reconcile(): Promise<void> {
    let truths: SlotTruth[]
    try {
      await driver.check()
      truths = await driver.list()
      engineProblem = null
    } catch (error) {
      engineProblem = error instanceof Error ? error.message : String(error)
      const rows = await db.system((tx) => listSlots(tx, driver.name))
      for (const row of rows) {
        if (row.state === 'running') await lifecycle.change(row.id, { state: 'unhealthy', error: engineProblem })
      }
      return
    }
    // Rows are read after the engine: a slot's row comes before its objects and goes after them.
    const rows = await db.system((tx) => listSlots(tx, driver.name))
    const truthOf = new Map(truths.map((truth) => [truth.slotId, truth]))
    for (const row of rows) if (row.projectId) await settle(row, truthOf.get(row.id) ?? null)
    if (Date.now() - lastSweep > sweepEveryMs) {
      lastSweep = Date.now()
      await sweep(truths, new Set(rows.map(({ id }) => id)))
    }
  }

  async function settle(row: SlotRow, truth: SlotTruth | null): Promise<void> {
    if (!row.projectId || lifecycle.isBusy(row.projectId)) return
    if (transientStates.includes(row.state) && Date.now() - row.updatedAt.getTime() < transientMs) return
    if (truth?.state === 'running') {
      if (row.state === 'running') return
      // A container that runs is no sandbox yet: after a failure its supervisor has to answer first.
      const problem = doubtfulStates.includes(row.state) ? await silenceOf(row) : null
      if (problem !== null) {
        await lifecycle.change(row.id, { state: 'unhealthy', error: problem }, { onlyFrom: [row.state] })
        return
      }
      const startedAt = truth.startedAt ?? new Date()
      await lifecycle.change(row.id, { state: 'running', error: null, startedAt }, { onlyFrom: [row.state] })
      return
    }
    if (!upStates.includes(row.state)) return
    sessions.forget(row.id)
    const stopped = { state: 'stopped', error: await reasonOf(row), stoppedAt: new Date() } as const
    await lifecycle.change(row.id, stopped, { onlyFrom: [row.state] })
  }

  /** Why its supervisor does not answer; null when it does. */
  async function silenceOf(row: SlotRow): Promise<string | null> {
    try {
      await sessions.of(row.id).connection.ready()
      return null
    } catch (error) {
      if (!isAppError(error)) throw error
      return error.message
    }
  }

  async function reasonOf(row: SlotRow): Promise<string | null> {
    if (row.state === 'stopping') return null
    const truth = await driver.inspect(row.id)
    if (!truth || truth.state === 'absent')
      return 'The container was removed from outside; its next start makes a new one'
    if (truth.wasOutOfMemory) return `The container ran out of its ${row.limits.memoryMiB} MiB of memory`
    const how = truth.exitCode === null ? '' : ` with exit code ${truth.exitCode}`
    return `The container was ended from outside${how}; it starts again when it is needed`
  }

  async function sweep(truths: SlotTruth[], known: Set<SlotId>): Promise<void> {
    await driver.tidy()
    for (const { slotId } of truths) {
      if (known.has(slotId)) suspects.delete(slotId)
      else if (!suspects.has(slotId)) suspects.add(slotId)
      else {
        log.warn({ slotId }, 'removing a sandbox that no row knows')
        await driver.remove(slotId)
        suspects.delete(slotId)
      }
    }
    for (const row of await db.system((tx) => abandonedSlots(tx, driver.name))) {
      sessions.forget(row.id)
      await driver.remove(row.id)
      await db.system((tx) => deleteSlot(tx, row.id))
    }
  }

  /** One pass at a time; who asks during one gets another right after it. */
  function soon(): void {
    if (isClosed) return
    if (running) {
      wantsAgain = true
      return
    }
    running = reconcile()
      .catch((error: unknown) => log.error({ err: error }, 'sandboxes could not be compared with the engine'))
      .finally(() => {
        running = null
        if (!wantsAgain) return
        wantsAgain = false
        soon()
      })
  }

  const stopListening = driver.onChange(soon)
  const timer = setInterval(soon, everyMs)
  soon()

  return {
    /** Why there are no sandboxes at the moment, in words; null when the engine answers. */
    problem: () => engineProblem,
    async close(): Promise<void> {
      isClosed = true
      clearInterval(timer)
      stopListening()
      await running
    },
  }
}
