import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { startTaskJobs } from '../features/tasks/jobs.ts'
import type { Log } from '../platform/log.ts'
import type { Queue } from '../platform/queue/queue.ts'
import type { Services } from './services.ts'

const sweepMs = 1_000

/**
 * Begins to work in this process: the queue's doors, and the sweeps that find what a dead worker left. Close it before
 * the services.
 */
export function startWorkers({ services, queue, log }: { services: Services; queue: Queue; log: Log }) {
  const { projects, preview, tasks, agents } = services
  queue.work('project.provision', (id) => projects.provision(id as ProjectId), { concurrency: 4 })
  queue.work('project.remove', (id) => projects.finishRemoval(id as ProjectId), { concurrency: 2 })
  let sweeping: Promise<void> | null = null
  const timer = setInterval(() => {
    sweeping ??= projects
      .sweep()
      .catch((error: unknown) => log.error({ err: error }, 'the sweep of projects failed'))
      .finally(() => (sweeping = null))
  }, sweepMs)
  const taskJobs = startTaskJobs({ queue, tasks, log })
  preview.work()
  preview.resume().catch((error: unknown) => log.error({ err: error }, 'previews could not be resumed'))
  const crew = agents.work()

  return {
    async close(): Promise<void> {
      clearInterval(timer)
      await sweeping
      await Promise.all([taskJobs.close(), crew.close()])
    },
  }
}
