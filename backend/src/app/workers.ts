import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { startTaskJobs } from '../features/tasks/jobs.ts'
import type { Database } from '../platform/db/database.ts'
import type { Log } from '../platform/log.ts'
import type { Queue } from '../platform/queue/queue.ts'
import type { Services } from './services.ts'

const sweepMs = 1_000
const activityMs = 5_000

/**
 * Begins to work in this process: the queue's doors, and the sweeps that find what a dead worker left. Close it before
 * the services.
 */
export function startWorkers({
  services,
  db,
  queue,
  log,
}: {
  services: Services
  db: Database
  queue: Queue
  log: Log
}) {
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
  const activity = noteActivity({ services, db, log })
  const taskJobs = startTaskJobs({ queue, tasks, log })
  preview.work()
  preview.resume().catch((error: unknown) => log.error({ err: error }, 'previews could not be resumed'))
  const crew = agents.work()

  return {
    async close(): Promise<void> {
      clearInterval(timer)
      await Promise.all([sweeping, activity.close()])
      await Promise.all([taskJobs.close(), crew.close()])
    },
  }
}

/** Events come many a second; a project's place on the projects page need not follow each of them. */
function noteActivity({ services, db, log }: { services: Services; db: Database; log: Log }) {
  const active = new Set<ProjectId>()
  const stopListening = db.onEvents((topics) => {
    for (const topic of topics)
      if (topic.startsWith('project:')) active.add(topic.slice('project:'.length) as ProjectId)
  })
  const flush = async () => {
    const projectIds = [...active]
    active.clear()
    if (projectIds.length > 0) await services.projects.touch(projectIds)
  }
  const timer = setInterval(() => {
    flush().catch((error: unknown) => log.warn({ err: error }, 'activity could not be noted'))
  }, activityMs)
  return {
    async close(): Promise<void> {
      clearInterval(timer)
      stopListening()
      await flush()
    },
  }
}
