import type { TaskId } from '@guildhall/protocol/ids.ts'
import type { Database } from '../../platform/db/database.ts'
import { renewLease } from './store.ts'

export const leaseMs = 3_000
const beatMs = 1_000

/** Thrown inside work whose lease another worker took over: stop, and write nothing more. */
export class LeaseLost extends Error {}

/** Runs `work` while beating the task's lease; aborts its signal as soon as a beat finds the lease gone. */
export async function underLease<T>(
  db: Database,
  taskId: TaskId,
  epoch: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController()
  const beat = setInterval(() => {
    db.system((tx) => renewLease(tx, taskId, epoch, leaseMs)).then(
      (held) => {
        if (!held) lost.abort(new LeaseLost('another worker took this task over'))
      },
      // A beat that cannot reach the database leaves the lease to run out, which is what a lease is for.
      () => undefined,
    )
  }, beatMs)
  try {
    return await work(lost.signal)
  } finally {
    clearInterval(beat)
  }
}
