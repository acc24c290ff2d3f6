import type { SandboxDisk } from '@guildhall/protocol/sandbox.ts'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import { isAppError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import type { Keeper } from './keeper.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Sessions } from './sessions.ts'
import type { KeptSlot } from './store.ts'

const everyMs = 5_000
const MiB = 1024 ** 2
/** While it is near its end, people see the figure move, in steps of this share of the limit. */
const step = 0.05

/**
 * The keeper's eye on disks: tells each sandbox its limit, asks what it takes, and announces where that matters. The
 * sandbox itself refuses writes and stops what fills it, so nothing waits for the next look from here (decision 0009).
 */
export function createDiskWatch({
  keeper,
  lifecycle,
  sessions,
  log,
}: {
  keeper: Keeper
  lifecycle: Lifecycle
  sessions: Sessions
  log: Log
}) {
  const looking = new Set<SlotId>()
  let isClosed = false

  async function look({ id, projectId, limits, disk: before }: KeptSlot): Promise<void> {
    const limitBytes = limits.diskMiB * MiB
    const { state, usedBytes, ended } = await sessions.of(id).limitDisk(limitBytes)
    const disk: SandboxDisk = { state, usedBytes, limitBytes, ended }
    const was = before?.state ?? 'ok'
    const hasMoved = state !== 'ok' && Math.abs(usedBytes - (before?.usedBytes ?? 0)) > limitBytes * step
    if (isClosed || (state === was && ended.length === (before?.ended.length ?? 0) && !hasMoved)) return
    if (state !== was) log.warn({ projectId, disk }, 'the disk of a sandbox')
    await lifecycle.change(id, { disk }, { also: state === was ? null : { type: 'disk.crossed', data: { disk } } })
  }

  const timer = setInterval(() => {
    for (const slot of keeper.kept()) {
      if (looking.has(slot.id)) continue
      looking.add(slot.id)
      look(slot)
        .catch((error: unknown) => {
          // One that is on its way up or down does not answer; whether that is so for long, others say.
          if (!isAppError(error)) log.error({ err: error, slotId: slot.id }, 'a disk could not be looked at')
        })
        .finally(() => looking.delete(slot.id))
    }
  }, everyMs)

  return {
    close(): void {
      isClosed = true
      clearInterval(timer)
    },
  }
}
