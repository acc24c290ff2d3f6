import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Project, ProjectStatus } from '@guildhall/protocol/projects.ts'
import type { Database } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import { appendEvent, deleteTopic, projectTopic } from '../../platform/events/events.ts'
import type { Log } from '../../platform/log.ts'
import {
  deleteProject,
  findProject,
  keepLease,
  leaseProject,
  listUnattended,
  releaseLease,
  setProvisioning,
  updateProject,
} from './store.ts'

/** One step of making or removing a project. Idempotent: after a crash it simply runs again. */
export interface ProvisionStep {
  name: string
  run(projectId: ProjectId): Promise<void>
}

const leaseMs = 3_000
const beatMs = 1_000
const system = { kind: 'system' } as const

/**
 * Makes and removes projects, step by step, whoever asks: a job that rang or the sweep after a crash. A lease on the
 * row keeps two workers off one project; the row says how far it is.
 */
export function createProvisioner({
  db,
  provision,
  remove,
  log,
}: {
  db: Database
  provision: ProvisionStep[]
  remove: ProvisionStep[]
  log: Log
}) {
  const atWork = new Map<ProjectId, Promise<void>>()
  let isClosed = false

  async function make(project: Project, isOurs: () => boolean): Promise<void> {
    const total = provision.length
    for (let done = project.provisioning?.done ?? 0; done < total; done++) {
      const step = provision[done]!
      await advance(project.id, { step: step.name, done, total, error: null })
      await step.run(project.id)
      // Deleted meanwhile, or closing: whoever comes next begins with this step again.
      if (!isOurs()) return
    }
    await db.system(async (tx) => {
      const made = { status: 'active' as const, provisioning: null }
      const active = await updateProject(tx, project.id, made, { from: 'creating' })
      if (!active) return
      await appendEvent(tx, projectTopic(project.id), {
        type: 'project.provisioned',
        actor: system,
        data: { project: active },
      })
    })
  }

  const advance = (projectId: ProjectId, provisioning: NonNullable<Project['provisioning']>) =>
    db.system(async (tx) => {
      await setProvisioning(tx, projectId, provisioning)
      await appendEvent(tx, projectTopic(projectId), {
        type: 'project.provision.advanced',
        actor: system,
        data: { provisioning },
      })
    })

  /** The reason stays on the project, where its owner reads it and can try again. */
  async function giveUp(projectId: ProjectId, error: unknown): Promise<void> {
    log.error({ err: error, projectId }, 'a project could not be made')
    const reason = isAppError(error) ? error.message : 'Something went wrong here; the log of the server says what.'
    await db.system(async (tx) => {
      const project = await findProject(tx, projectId)
      if (project?.status !== 'creating') return
      const before = project.provisioning ?? { step: '', done: 0, total: provision.length }
      const change = { status: 'error' as const, provisioning: { ...before, error: reason } }
      const failed = await updateProject(tx, projectId, change, { from: 'creating' })
      if (!failed) return
      await appendEvent(tx, projectTopic(projectId), {
        type: 'project.updated',
        actor: system,
        data: { project: failed },
      })
    })
  }

  async function unmake(projectId: ProjectId): Promise<void> {
    for (const step of remove) await step.run(projectId)
    await db.system(async (tx) => {
      await deleteTopic(tx, projectTopic(projectId))
      await deleteProject(tx, projectId)
    })
  }

  async function withLease(projectId: ProjectId, status: ProjectStatus): Promise<void> {
    const project = await db.system((tx) => leaseProject(tx, projectId, status, leaseMs))
    if (!project) return
    let isOurs = true
    const beat = setInterval(() => {
      db.system((tx) => keepLease(tx, projectId, status, leaseMs)).then(
        (isKept) => {
          isOurs &&= isKept
        },
        (error: unknown) => log.warn({ err: error, projectId }, 'a lease could not be kept'),
      )
    }, beatMs)
    let freeAfterMs = 0
    try {
      if (status === 'deleting') await unmake(projectId)
      else await make(project, () => isOurs && !isClosed)
    } catch (error) {
      if (status === 'creating') await giveUp(projectId, error)
      else {
        log.error({ err: error, projectId }, 'a project could not be removed; tried again in 30 s')
        freeAfterMs = 30_000
      }
    } finally {
      clearInterval(beat)
      await db.system((tx) => releaseLease(tx, projectId, freeAfterMs))
    }
  }

  /** Goes on with a project wherever it stands; a second call in this process joins the first. */
  function run(projectId: ProjectId, status: 'creating' | 'deleting'): Promise<void> {
    const running = atWork.get(projectId)
    if (running) return running
    const work = withLease(projectId, status).finally(() => atWork.delete(projectId))
    atWork.set(projectId, work)
    return work
  }

  return {
    run,
    /** Takes up what a dead worker left. Runs beside the queue, not through it: a lost job must not lose a project. */
    async sweep(): Promise<void> {
      const waiting = await db.system((tx) => listUnattended(tx))
      for (const { id, status } of waiting) {
        run(id, status as 'creating' | 'deleting').catch((error: unknown) =>
          log.error({ err: error, projectId: id }, 'sweep failed'),
        )
      }
    },
    /** Lets the steps under way end, for a moment; the next start goes on behind them. */
    async close(graceMs = 5_000): Promise<void> {
      isClosed = true
      const tooLong = new Promise((resolve) => setTimeout(resolve, graceMs).unref())
      await Promise.race([Promise.allSettled(atWork.values()), tooLong])
    },
  }
}
