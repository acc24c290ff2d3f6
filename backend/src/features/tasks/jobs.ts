import type { ProjectId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Log } from '../../platform/log.ts'
import type { Queue } from '../../platform/queue/queue.ts'
import type { TaskService } from './service.ts'

const sweepMs = 1_000
/** A start that takes longer is left to the next worker. */
const closeGraceMs = 5_000

/** The queue's door to tasks. The first part of a job's id says which row; the rest only keeps rings apart. */
export function startTaskJobs({ queue, tasks, log }: { queue: Queue; tasks: TaskService; log: Log }) {
  queue.work('task.check', (id) => tasks.check(firstPart(id) as TaskId), { concurrency: 2 })
  queue.work('task.merge', (id) => tasks.mergeNext(firstPart(id) as ProjectId), { concurrency: 2 })
  let sweeping: Promise<void> | null = null
  const timer = setInterval(() => {
    sweeping ??= tasks
      .sweep()
      .catch((error: unknown) => log.error({ err: error }, 'the sweep of tasks failed'))
      .finally(() => (sweeping = null))
  }, sweepMs)
  return {
    async close() {
      clearInterval(timer)
      await sweeping
      await Promise.race([tasks.settled(), new Promise((resolve) => setTimeout(resolve, closeGraceMs).unref())])
    },
  }
}

const firstPart = (id: string) => id.slice(0, id.indexOf('.'))
