import type { ProjectId, SlotId } from '@guildhall/protocol/ids.ts'
import type { Database } from '../../platform/db/database.ts'
import { newId } from '../../platform/ids.ts'
import type { Log } from '../../platform/log.ts'
import type { SandboxDriver } from './driver.ts'
import type { Keeper } from './keeper.ts'
import { defaultLimits, specOf } from './lifecycle.ts'
import type { Sessions } from './sessions.ts'
import { deleteSlot, insertSlot, type SlotRow } from './store.ts'
import type { SandboxSession } from './session/session.ts'

/** Each may take the memory of a whole sandbox. */
const maxAtOnce = 2

/** A sandbox for one piece of work: same walls as any, an empty volume, and nothing left afterwards. */
export function createThrowaways({
  db,
  driver,
  sessions,
  keeper,
  keeperName,
  log,
}: {
  db: Database
  driver: SandboxDriver
  sessions: Sessions
  keeper: Keeper
  keeperName: string
  log: Log
}) {
  /** `projectId`: on whose behalf it asks the package mirrors; null = it asks nothing. */
  return async function withThrowaway<T>(
    image: string,
    projectId: ProjectId | null,
    work: (session: SandboxSession, row: SlotRow) => Promise<T>,
  ): Promise<T> {
    const id = newId<SlotId>()
    const slot = { id, driver: driver.name, volumeName: `guildhall-${id}`, image, limits: defaultLimits }
    // No project in the row: a project has one sandbox. The maker's lease says that it is wanted.
    const { row } = await db.system((tx) => insertSlot(tx, { ...slot, projectId: null, keeper: keeperName }))
    const kept = keeper.adopt(id, projectId)
    try {
      await driver.create(specOf(row))
      await driver.start(id)
      const session = await sessions.ready(id)
      // It goes with its volume soon, but one check could fill the machine before.
      await session.limitDisk(row.limits.diskMiB * 1024 ** 2)
      kept.open()
      return await work(session, row)
    } finally {
      kept.letGo()
      sessions.forget(id)
      await driver
        .remove(id)
        .then(() => db.system((tx) => deleteSlot(tx, id)))
        // The answer of the work counts; the sweep finds what is left by its row, whose lease ends.
        .catch((error: unknown) => log.warn({ err: error, slotId: id }, 'a throw-away sandbox stays for the sweep'))
    }
  }
}
export type WithThrowaway = ReturnType<typeof createThrowaways>

/** Throw-away sandboxes for checks: two at a time in a process, others wait. */
export function createFreshSandboxes({
  driver,
  imageName,
  withThrowaway,
}: {
  driver: SandboxDriver
  imageName: () => Promise<string>
  withThrowaway: WithThrowaway
}) {
  let active = 0
  const queue: (() => void)[] = []

  async function withRoom<T>(work: () => Promise<T>): Promise<T> {
    if (active >= maxAtOnce) await new Promise<void>((go) => queue.push(go))
    else active++
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next) next()
      else active--
    }
  }

  return function withFreshSandbox<T>(projectId: ProjectId, work: (session: SandboxSession) => Promise<T>): Promise<T> {
    return withRoom(async () => {
      await driver.check()
      return withThrowaway(await imageName(), projectId, work)
    })
  }
}
