import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Agent, Run, RunDetail } from '@guildhall/protocol/agents.ts'
import type { Topic } from '@guildhall/protocol/events.ts'
import type { AgentId, ConversationId, ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Db } from '../../platform/db/database.ts'
import { invalid, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import type { RunOrder } from '../tasks/service.ts'
import { listRunSteps } from './ledger.ts'
import { crew } from './roles/crew.ts'
import { called } from './roles/role.ts'
import {
  changeSeat,
  countAtWork,
  findRun,
  insertRun,
  insertSeat,
  listLiveRuns,
  listRuns,
  listSeats,
  lockLivePlanRun,
  lockSeats,
  requestCancel,
  type RunRow,
  toRun,
} from './store.ts'
import { createWorker, type WorkerDeps, type WorkerLimits } from './worker.ts'

const house = { kind: 'system' } as const
const usualLimits: WorkerLimits = { places: 8, perProject: 2 }

/** The crew: seats, runs and the worker that carries them out. */
export function createAgentService({ limits = usualLimits, ...deps }: WorkerDeps & { limits?: WorkerLimits }) {
  const { db, authorize, queue } = deps
  /** Runs whose transaction is under way, by the topic its commit will announce. */
  const toRing = new Map<Topic, Set<RunId>>()
  const stopListening = db.onEvents((topics) => {
    for (const topic of topics) {
      const runs = toRing.get(topic)
      toRing.delete(topic)
      for (const id of runs ?? []) void queue.ring('agent.run', `${id}.0`)
    }
  })

  /**
   * Orders a run, in the caller's transaction: a seat for it (the first free one of the role, else a new one), the row,
   * the events, and after the commit the bell. A plan run that is at work in the conversation already takes the wish
   * as its next message, and its id is answered. Throws `invalid` where the role has no tools for the purpose.
   */
  async function startRun(tx: Db, order: RunOrder): Promise<RunId> {
    const { projectId, role, purpose, taskId } = order
    if (crew[role].tools[purpose].length === 0) throw invalid(`The ${called(crew[role])} does no ${purpose}`)
    if (purpose !== 'plan' && !taskId) throw invalid(`A run for ${purpose} needs a task`)
    const live = purpose === 'plan' ? await lockLivePlanRun(tx, order.conversationId) : null
    if (live) return live

    const topic = projectTopic(projectId)
    const id = newId<RunId>()
    await lockSeats(tx, projectId)
    const seats = await listSeats(tx, projectId, role)
    const free = seats.find(({ runId }) => runId === null)
    const seatId = free?.id ?? newId<AgentId>()
    if (!free) await insertSeat(tx, { id: seatId, projectId, role, name: `${crew[role].name} ${seats.length + 1}` })
    const agent = (await changeSeat(tx, seatId, { state: 'waiting', activity: 'Waiting to begin', taskId, runId: id }))!
    const run = await insertRun(tx, { ...order, id, agentId: seatId })
    await appendEvent(tx, topic, { type: free ? 'agent.changed' : 'agent.seated', actor: house, data: { agent } })
    await appendEvent(tx, topic, { type: 'agent.run.queued', actor: house, data: { run } })
    toRing.set(topic, (toRing.get(topic) ?? new Set()).add(id))
    return id
  }

  const worker = createWorker(deps, limits, (tx, { projectId, conversationId, taskId, role, purpose, userId }) =>
    startRun(tx, { projectId, conversationId, taskId, role, purpose, userId }),
  )

  /** A run nobody has begun ends here and now; a running one is told, and ends within its next beat. */
  async function stopRun(run: RunRow): Promise<void> {
    await db.system((tx) => requestCancel(tx, run.id))
    worker.stop(run.id)
    if (run.state === 'queued') await worker.settle(run, { state: 'cancelled' }).catch(unlessTaken)
  }

  /** Reads a run with the caller's rights; a stranger's does not exist. */
  async function allowed(actor: Actor, action: 'project.read' | 'project.work', id: RunId): Promise<RunRow> {
    const run = await db.as(actor, (tx) => findRun(tx, id))
    if (!run) throw notFound('Run')
    await authorize(actor, action, { projectId: run.projectId })
    return run
  }

  return {
    startRun,

    /** The seats of a project, in the order they were taken. Throws `not_found` for strangers. */
    async seats(actor: Actor, projectId: ProjectId): Promise<Agent[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, (tx) => listSeats(tx, projectId))
    },

    /** The newest 200 runs, newest first. Throws `not_found` for strangers. */
    async runs(actor: Actor, projectId: ProjectId, taskId?: TaskId): Promise<Run[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, async (tx) => (await listRuns(tx, projectId, taskId)).map(toRun))
    },

    /** A run with every step. Throws `not_found`. */
    async run(actor: Actor, id: RunId): Promise<RunDetail> {
      const run = await allowed(actor, 'project.read', id)
      return { run: toRun(run), steps: await db.as(actor, (tx) => listRunSteps(tx, id)) }
    },

    /** Asks a run to stop; within two seconds it has. One that ended already is answered as it is. */
    async cancel(actor: Actor, id: RunId): Promise<Run> {
      const run = await allowed(actor, 'project.work', id)
      await stopRun(run)
      return toRun((await db.as(actor, (tx) => findRun(tx, id)))!)
    },

    /** Stops every run of a task; the feature that calls it has asked for permission. */
    async cancelRuns(taskId: TaskId): Promise<void> {
      for (const run of await db.system((tx) => listLiveRuns(tx, { taskId }))) await stopRun(run)
    },

    /** Stops every run of a conversation; answers how many there were. Throws `forbidden` for viewers. */
    async cancelConversation(actor: Actor, conversationId: ConversationId): Promise<number> {
      const runs = await db.as(actor, (tx) => listLiveRuns(tx, { conversationId }))
      for (const projectId of new Set(runs.map((run) => run.projectId)))
        await authorize(actor, 'project.work', { projectId })
      for (const run of runs) await stopRun(run)
      return runs.length
    },

    /** Stops every run of a project that is about to be removed. */
    async cancelProject(projectId: ProjectId): Promise<void> {
      for (const run of await db.system((tx) => listLiveRuns(tx, { projectId }))) await stopRun(run)
    },

    /** How many seats are at work, for the cards of the projects page. The caller has asked for permission. */
    atWork: (projectIds: ProjectId[]): Promise<Map<ProjectId, number>> =>
      db.system((tx) => countAtWork(tx, projectIds)),

    /** Begins to take runs in this process. Close it before the queue and the database. */
    work: () => worker.start(),

    close: () => stopListening(),
  }
}
export type AgentService = ReturnType<typeof createAgentService>

/** Between the look and the stop a worker took the run: it stops it itself. */
function unlessTaken(error: unknown): void {
  if (!(error instanceof Error && error.name === 'LeaseLost')) throw error
}
