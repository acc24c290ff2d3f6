import { setTimeout as sleep } from 'node:timers/promises'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import { AppError } from '../../platform/errors.ts'
import type { SandboxDriver } from './driver.ts'
import { openSession, type OpenSession } from './session/session.ts'

const readyWithinMs = 15_000

/** One session per slot and process, over one bridge that reopens by itself. */
export function createSessions(driver: SandboxDriver) {
  const open = new Map<SlotId, OpenSession>()

  function of(slotId: SlotId): OpenSession {
    const known = open.get(slotId)
    if (known) return known
    const session = openSession({
      openBridge: () => driver.openBridge(slotId, 'ctl'),
      root: driver.rootOf(slotId),
    })
    open.set(slotId, session)
    return session
  }

  return {
    of,
    /** Waits until the supervisor answers; right after a start its socket is not there yet. */
    async ready(slotId: SlotId): Promise<OpenSession> {
      const until = Date.now() + readyWithinMs
      for (let pause = 25; ; pause = Math.min(pause * 2, 400)) {
        const session = of(slotId)
        try {
          await session.connection.ready()
          return session
        } catch (error) {
          const truth = await driver.inspect(slotId)
          if (truth?.state !== 'running') {
            const how = truth?.exitCode === null || !truth ? '' : ` (exit code ${truth.exitCode})`
            throw new AppError('unavailable', `The sandbox ended right after its start${how}`, { cause: error })
          }
          if (Date.now() > until) throw error
        }
        await sleep(pause)
      }
    },
    /** Ends the session; holders of it get `unavailable` and ask for another. */
    forget(slotId: SlotId): void {
      open.get(slotId)?.close()
      open.delete(slotId)
    },
    close(): void {
      for (const session of open.values()) session.close()
      open.clear()
    },
  }
}
export type Sessions = ReturnType<typeof createSessions>
