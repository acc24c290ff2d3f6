import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Fact } from '@guildhall/protocol/events.ts'
import type { ProjectId, SlotId } from '@guildhall/protocol/ids.ts'
import type { Sandbox, SandboxLimits, SandboxState } from '@guildhall/protocol/sandbox.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Database } from '../../platform/db/database.ts'
import { AppError } from '../../platform/errors.ts'
import { newId } from '../../platform/ids.ts'
import type { Log } from '../../platform/log.ts'
import type { SandboxDriver, SlotSpec } from './driver.ts'
import type { Sessions } from './sessions.ts'
import { changeSlot, deleteSlot, findSlot, insertSlot, type SlotChange, type SlotRow } from './store.ts'

const house: Actor = { kind: 'system' }
export const defaultLimits: SandboxLimits = { memoryMiB: 4_096, cpus: 2, pids: 1_024, diskMiB: 5_120 }

export const specOf = ({ id, uid, limits, image, volumeName }: SlotRow): SlotSpec => ({
  slotId: id,
  uid,
  limits,
  image,
  volumeName,
})

/**
 * What happens to the one sandbox of a project. Steps of one sandbox follow each other; each may be repeated, also by
 * another process, because the engine's objects are found by name and the row is unique.
 */
export function createLifecycle({
  db,
  driver,
  sessions,
  imageName,
  log,
}: {
  db: Database
  driver: SandboxDriver
  sessions: Sessions
  imageName: () => Promise<string>
  log: Log
}) {
  const turns = new Map<ProjectId, Promise<unknown>>()
  const waking = new Map<ProjectId, Promise<SlotRow>>()

  const shown = (projectId: ProjectId, row: SlotRow | null): Sandbox => ({
    projectId,
    state: row?.state ?? 'none',
    driver: driver.name,
    isolated: driver.isolated,
    image: row?.image ?? null,
    limits: row?.limits ?? defaultLimits,
    disk: row?.disk ?? null,
    startedAt: row?.startedAt?.toISOString() ?? null,
    error: row?.error ?? null,
  })

  /** Writes a change and announces it (and `also`), in one transaction; nothing is announced when nothing changed. */
  async function change(
    slotId: SlotId,
    to: SlotChange,
    {
      actor = house,
      onlyFrom,
      also = null,
    }: { actor?: Actor; onlyFrom?: readonly SandboxState[]; also?: Fact | null } = {},
  ): Promise<SlotRow | null> {
    return db.system(async (tx) => {
      const row = await changeSlot(tx, slotId, to, onlyFrom)
      if (row?.projectId) {
        const container = shown(row.projectId, row)
        await appendEvent(tx, projectTopic(row.projectId), { type: 'sandbox.changed', actor, data: { container } })
        if (also) await appendEvent(tx, projectTopic(row.projectId), { ...also, actor })
      }
      return row
    })
  }

  /** The slot's row, made when there is none: ten callers get one row. */
  async function claimSlot(projectId: ProjectId, actor: Actor): Promise<SlotRow> {
    const image = await imageName()
    const { row, isNew } = await db.system(async (tx) => {
      const id = newId<SlotId>()
      const volumeName = `guildhall-${id}`
      const slot = { id, projectId, driver: driver.name, volumeName, image, limits: defaultLimits, keeper: null }
      const claimed = await insertSlot(tx, slot)
      if (claimed.isNew) {
        const container = shown(projectId, claimed.row)
        await appendEvent(tx, projectTopic(projectId), { type: 'sandbox.changed', actor, data: { container } })
      }
      return claimed
    })
    if (isNew || (row.driver === driver.name && row.image === image)) return row
    // Another engine knows nothing of the old volume (committed work is in the bare repository); another image only
    // needs a new container around the same volume.
    return (await change(row.id, { driver: driver.name, image }, { actor })) ?? row
  }

  async function bringUp(projectId: ProjectId, actor: Actor): Promise<SlotRow> {
    await driver.check()
    const row = await claimSlot(projectId, actor)
    const truth = await driver.inspect(row.id)
    if (truth?.state !== 'running' || row.state !== 'running') {
      await change(row.id, { state: 'creating', error: null }, { actor })
    }
    try {
      if (truth?.state !== 'running') {
        sessions.forget(row.id)
        await driver.create(specOf(row))
        await driver.start(row.id)
      }
      await sessions.ready(row.id)
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      await change(row.id, { state: 'error', error: detail }, { actor })
      log.error({ err: error, projectId }, 'a sandbox did not start')
      throw error instanceof AppError ? error : new AppError('unavailable', detail, { cause: error })
    }
    const startedAt = truth?.startedAt ?? new Date()
    return (
      (await change(row.id, { state: 'running', error: null, startedAt }, { actor })) ?? { ...row, state: 'running' }
    )
  }

  async function takeDown(projectId: ProjectId, actor: Actor): Promise<void> {
    const row = await db.system((tx) => findSlot(tx, projectId))
    if (!row) return
    await change(
      row.id,
      { state: 'stopping', error: null },
      { actor, onlyFrom: ['running', 'unhealthy', 'creating', 'error'] },
    )
    sessions.forget(row.id)
    await driver.stop(row.id)
    await change(row.id, { state: 'stopped', error: null, stoppedAt: new Date() }, { actor })
  }

  async function inTurn<T>(projectId: ProjectId, work: () => Promise<T>): Promise<T> {
    const before = turns.get(projectId) ?? Promise.resolve()
    const turn = before.then(work, work)
    const settled = turn.catch(() => undefined)
    turns.set(projectId, settled)
    try {
      return await turn
    } finally {
      if (turns.get(projectId) === settled) turns.delete(projectId)
    }
  }

  /** A running sandbox with an answering supervisor, whatever it was before. Callers at the same time share the work. */
  function wake(projectId: ProjectId, actor: Actor = house): Promise<SlotRow> {
    const known = waking.get(projectId)
    if (known) return known
    const work = inTurn(projectId, () => bringUp(projectId, actor)).finally(() => waking.delete(projectId))
    waking.set(projectId, work)
    return work
  }

  return {
    shown,
    change,
    wake,
    /** Whether this process is at work on the sandbox, so that what the engine says is not the last word yet. */
    isBusy: (projectId: ProjectId) => turns.has(projectId),
    stop: (projectId: ProjectId, actor: Actor) => inTurn(projectId, () => takeDown(projectId, actor)),
    restart: (projectId: ProjectId, actor: Actor) =>
      inTurn(projectId, async () => {
        await takeDown(projectId, actor)
        return bringUp(projectId, actor)
      }),
    /** Container, volume and row. Repeatable. */
    remove: (projectId: ProjectId) =>
      inTurn(projectId, async () => {
        const row = await db.system((tx) => findSlot(tx, projectId))
        if (!row) return
        sessions.forget(row.id)
        await driver.remove(row.id)
        await db.system((tx) => deleteSlot(tx, row.id))
      }),
  }
}
export type Lifecycle = ReturnType<typeof createLifecycle>
