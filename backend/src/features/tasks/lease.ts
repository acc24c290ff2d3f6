import type { ProjectId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Task, TaskState } from '@guildhall/protocol/tasks.ts'
import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import type { Database, Db } from '../../platform/db/database.ts'
import { leaseIsFree, mayBeTaken, toTask } from './store.ts'
import { taskTable } from './table.ts'

const leaseMs = 3_000
const beatMs = 1_000
/** Where a worker holds a task; in every other state there is nothing to hold. */
const leasedStates: TaskState[] = ['waiting', 'checking', 'merging']

/** Thrown inside work whose lease another worker took over: stop, and write nothing more. */
export class LeaseLost extends Error {}

/** A task that this worker holds: what it writes is guarded by the epoch. */
export interface Claimed {
  task: Task
  epoch: number
  userId: UserId
}

const leaseEnd = sql`now() + ${leaseMs} * interval '1 millisecond'`

/** Takes the lease of a task that is to be started; null when it is not, or another worker has it. */
export const claimStart = (db: Db, taskId: TaskId): Promise<Claimed | null> => claim(db, taskId, 'waiting')

/** The same for a task that is to be checked. */
export const claimCheck = (db: Db, taskId: TaskId): Promise<Claimed | null> => claim(db, taskId, 'checking')

/**
 * Takes the lease of the first task in a project's merge queue; null while another worker holds one of them, or the
 * queue is empty. One look at a time: two workers that look at once could each find a different first.
 */
export async function claimMerge(db: Db, projectId: ProjectId): Promise<Claimed | null> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtext(${`merges:${projectId}`}))`)
  const queue = await db
    .select({ id: taskTable.id, isFree: sql<boolean>`${leaseIsFree}` })
    .from(taskTable)
    .where(and(eq(taskTable.projectId, projectId), eq(taskTable.state, 'merging')))
    .orderBy(asc(taskTable.queuedAt), asc(taskTable.id))
  if (queue.length === 0 || queue.some(({ isFree }) => !isFree)) return null
  return claim(db, queue[0]!.id, 'merging')
}

async function claim(db: Db, taskId: TaskId, state: TaskState): Promise<Claimed | null> {
  const [row] = await db
    .update(taskTable)
    .set({ epoch: sql`${taskTable.epoch} + 1`, leaseUntil: leaseEnd })
    .where(and(eq(taskTable.id, taskId), eq(taskTable.state, state), mayBeTaken))
    .returning()
  return row ? { task: toTask(row), epoch: row.epoch, userId: row.createdFor } : null
}

/** False when the lease was taken over, or a person took the task out of the worker's hands. */
async function renewLease(db: Db, taskId: TaskId, epoch: number): Promise<boolean> {
  const rows = await db
    .update(taskTable)
    .set({ leaseUntil: leaseEnd, updatedAt: sql`${taskTable.updatedAt}` })
    .where(and(eq(taskTable.id, taskId), eq(taskTable.epoch, epoch), inArray(taskTable.state, leasedStates)))
    .returning({ id: taskTable.id })
  return rows.length > 0
}

/** Tasks at a gate that need a worker and have none. */
export async function listUnattended(
  db: Db,
): Promise<{ id: TaskId; projectId: ProjectId; state: TaskState; epoch: number }[]> {
  return db
    .select({ id: taskTable.id, projectId: taskTable.projectId, state: taskTable.state, epoch: taskTable.epoch })
    .from(taskTable)
    .where(and(inArray(taskTable.state, ['checking', 'merging']), mayBeTaken))
    .orderBy(asc(taskTable.queuedAt), asc(taskTable.id))
    .limit(200)
}

/**
 * Runs `work` while beating the task's lease; aborts its signal as soon as a beat finds the lease gone. Throws
 * LeaseLost then, whatever the aborted work threw.
 */
export async function underLease<T>(
  db: Database,
  { task, epoch }: Claimed,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController()
  const beat = setInterval(() => {
    db.system((tx) => renewLease(tx, task.id, epoch)).then(
      (held) => {
        if (!held) lost.abort(new LeaseLost('the task is in other hands'))
      },
      // A beat that cannot reach the database leaves the lease to run out, which is what a lease is for.
      () => undefined,
    )
  }, beatMs)
  try {
    return await work(lost.signal)
  } catch (error) {
    throw lost.signal.aborted ? lost.signal.reason : error
  } finally {
    clearInterval(beat)
  }
}
