import type { Actor } from '@guildhall/protocol/actor.ts'
import type { RunId } from '@guildhall/protocol/ids.ts'
import { hostname } from 'node:os'
import type { Database, Db } from '../../platform/db/database.ts'
import { forbidden, isAppError } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import type { Log } from '../../platform/log.ts'
import type { Queue } from '../../platform/queue/queue.ts'
import type { ConversationService } from '../conversations/service.ts'
import type { LlmService } from '../llm/service.ts'
import type { Authorize } from '../projects/service.ts'
import type { PromptService } from '../prompts/service.ts'
import type { Hub } from '../realtime/service.ts'
import type { RepositoryService } from '../repository/service.ts'
import type { SandboxService } from '../sandbox/service.ts'
import type { TaskService } from '../tasks/service.ts'
import type { UsageService } from '../usage/service.ts'
import { createBook } from './book.ts'
import { beatMs, claimNext, type Held, hold, leaseMs, LeaseLost, listClaimable, release } from './lease.ts'
import { listSteps } from './ledger.ts'
import { type Ending, Leaving, runLoop } from './loop.ts'
import { makeOpening } from './opening.ts'
import { crew } from './roles/crew.ts'
import { called } from './roles/role.ts'
import { keepSaved } from './saving.ts'
import { openRunSession, type RunSession } from './session.ts'
import {
  changeSeat,
  endRun,
  findRun,
  findSeat,
  hasNewerRun,
  keepOpening,
  listUnreported,
  markReported,
  type RunRow,
  toRun,
} from './store.ts'
import { oneLine } from './tools/text.ts'
import { toolsNamed } from './tools/toolbox.ts'
import { findWorkplace } from './workplace.ts'

export interface WorkerDeps {
  db: Database
  authorize: Authorize
  queue: Queue
  hub: Pick<Hub, 'delta' | 'deltaEnd'>
  llm: Pick<LlmService, 'resolve' | 'stream' | 'describe' | 'prices'>
  usage: Pick<UsageService, 'begin' | 'settle' | 'fail' | 'abandon'>
  prompts: Pick<PromptService, 'systemPrompt'>
  sandbox: Pick<SandboxService, 'session'>
  repository: Pick<RepositoryService, 'ensureWorkTree' | 'checkOut' | 'publish' | 'saveWip'>
  conversations: Pick<ConversationService, 'post' | 'recent' | 'since'>
  tasks: Pick<
    TaskService,
    'submitPlan' | 'standing' | 'document' | 'tick' | 'finish' | 'reviewContext' | 'verdict' | 'runEnded'
  >
  /** The model a project has chosen; null = the house's default. */
  modelOf: (projectId: RunRow['projectId']) => Promise<string | null>
  log: Log
}

export interface WorkerLimits {
  /** Runs at work in one process. */
  places: number
  /** Runs at work in one project, over all processes. */
  perProject: number
}

const house = { kind: 'system' } as const
const sweepMs = 1_000
/** A run that broke this worker itself so often is not tried again. */
const maxBreaks = 5
const leaveGraceMs = 8_000

class Cancelled extends Error {}
type End = Ending | { state: 'cancelled' }

/** Takes runs from the rows and brings each to its end; whatever happens to this process, another can go on. */
export function createWorker(deps: WorkerDeps, { places, perProject }: WorkerLimits, startAgain: StartAgain) {
  const { db, queue, log } = deps
  const name = `${hostname()}.${process.pid}.${newId().slice(-6)}`
  const atWork = new Map<RunId, { stop: AbortController; ended: Promise<void> }>()
  /** Places in use, also those whose claim is still under way. */
  let taken = 0
  const leaving = new AbortController()
  const breaks = new Map<RunId, number>()

  /** Claims and announces in one transaction; null when nothing waits. */
  async function claim(): Promise<Held | null> {
    return db.system(async (tx) => {
      const held = await claimNext(tx, { worker: name, perProject })
      if (held?.epoch === 1) {
        const run = (await findRun(tx, held.id))!
        await appendEvent(tx, projectTopic(run.projectId), {
          type: 'agent.run.started',
          actor: house,
          data: { run: toRun(run) },
        })
      }
      return held
    })
  }

  /** What rang only says that there is something; the rows say what, in fair order. Goes on until nothing waits. */
  async function work(): Promise<void> {
    while (!leaving.signal.aborted && taken < places) {
      taken += 1
      try {
        const held = await claim()
        if (!held) return
        const stop = new AbortController()
        const ended = drive(held, stop).finally(() => atWork.delete(held.id))
        atWork.set(held.id, { stop, ended })
        await ended
      } finally {
        taken -= 1
      }
    }
  }

  async function drive(held: Held, stop: AbortController): Promise<void> {
    const { id, epoch } = held
    const stopBeating = beat(held, stop)
    try {
      const run = (await db.system((tx) => findRun(tx, id)))!
      await settle(run, await carryOut(run, stop.signal))
    } catch (error) {
      if (error instanceof LeaseLost) return log.warn({ runId: id, epoch }, 'a run was taken over by another worker')
      if (error instanceof Leaving) return db.system((tx) => release(tx, held))
      // A bug or a database that is away. The lease runs out, and whoever comes next goes on from the ledger.
      log.error({ err: error, runId: id, epoch }, 'a run broke off')
      breaks.set(id, (breaks.get(id) ?? 0) + 1)
      if (breaks.get(id)! < maxBreaks) return
      const run = await db.system((tx) => findRun(tx, id))
      if (run)
        await settle(run, { state: 'failed', error: 'It broke off several times inside Guildhall; the log says why.' })
    } finally {
      stopBeating()
    }
  }

  function beat(held: Held, stop: AbortController): () => void {
    let heldAt = Date.now()
    let isBusy = false
    const timer = setInterval(async () => {
      if (isBusy) return
      isBusy = true
      try {
        const { isCancelled } = await db.system((tx) => hold(tx, held))
        heldAt = Date.now()
        if (isCancelled) stop.abort(new Cancelled('stopped by a person'))
      } catch (error) {
        // Without a beat in time somebody else may hold the run by now: better to stop than to act beside them.
        if (error instanceof LeaseLost || Date.now() - heldAt > leaseMs) stop.abort(new LeaseLost(held.id, held.epoch))
        else log.warn({ err: error, runId: held.id }, 'a beat was missed')
      } finally {
        isBusy = false
      }
    }, beatMs)
    return () => clearInterval(timer)
  }

  /** From the claim to an ending in words. Throws what is not the run's own end: a lost lease, leaving, a bug. */
  async function carryOut(run: RunRow, signal: AbortSignal): Promise<End> {
    if (run.cancelRequestedAt) return { state: 'cancelled' }
    try {
      return await prepareAndLoop(run, signal)
    } catch (error) {
      if (error instanceof Cancelled) return { state: 'cancelled' }
      if (signal.aborted && signal.reason instanceof Cancelled) return { state: 'cancelled' }
      if (signal.aborted && signal.reason instanceof LeaseLost) throw signal.reason
      if (isAppError(error)) return { state: 'failed', error: error.message }
      throw error
    }
  }

  async function prepareAndLoop(run: RunRow, signal: AbortSignal): Promise<Ending> {
    const { id, epoch, projectId, conversationId, userId, taskId, purpose } = run
    const role = crew[run.role]
    const agent: Actor & { kind: 'agent' } = {
      kind: 'agent',
      agentId: run.agentId,
      runId: id,
      role: run.role,
      onBehalfOf: userId,
    }
    await deps.authorize(agent, 'project.work', { projectId }).catch((error: unknown) => {
      if (!isAppError(error, 'not_found') && !isAppError(error, 'forbidden')) throw error
      throw forbidden(
        'Whom this work was for may no longer work in this project. Who may can retry it in their own name.',
      )
    })
    const seat = (await db.system((tx) => findSeat(tx, run.agentId)))!
    const placeIn = (inside: RunSession) => findWorkplace(deps, run, inside)
    const session = await openRunSession(deps.sandbox, run, signal, placeIn)
    const place = await placeIn(session)
    const { branch } = place
    const lastSave = branch ? keepSaved(() => deps.repository.saveWip(projectId, branch), log) : null
    let isOurs = true
    try {
      const book = createBook(deps, run, agent, seat.name, await db.system((tx) => listSteps(tx, id)))
      const model = run.model ?? deps.llm.resolve(await deps.modelOf(projectId))
      const opening = run.opening ?? (await makeOpening(deps, run, session, place.root))
      await book.keep(async (tx) => {
        if (!run.opening) await keepOpening(tx, id, { model, opening })
        await showSeat(tx, run, { state: 'working', activity: place.activity })
      })
      const topic = projectTopic(projectId)
      return await runLoop({
        ...{ book, opening, role, purpose, model, llm: deps.llm, leaving: leaving.signal, log },
        startedAt: run.startedAt ?? new Date(),
        tools: toolsNamed(role.tools[purpose]),
        context: {
          ...{
            session,
            root: place.root,
            env: place.env,
            role,
            agent,
            signal,
            tasks: deps.tasks,
            repository: deps.repository,
          },
          run: {
            ...{ id, projectId, conversationId, userId, taskId, purpose, model },
            ...{ taskKey: place.taskKey, branch: place.branch, seatName: seat.name },
          },
        },
        stepRef: (seq, part) => ({ runId: id, epoch, stepId: part ? `${seq}.${part}` : String(seq) }),
        heard: (tx, after) => heard(tx, run, after),
        deltas: {
          say: (messageId, text) => deps.hub.delta(topic, { messageId, runId: id, role: run.role, text }),
          end: (messageId) => deps.hub.deltaEnd(messageId),
        },
      })
    } catch (error) {
      isOurs = !(error instanceof LeaseLost || error instanceof Leaving)
      throw error
    } finally {
      await lastSave?.()
      // Whoever goes on with the run needs the place as it is; the fence inside keeps a late worker from clearing it.
      const step = { runId: id, epoch, stepId: 'leave' }
      if (isOurs)
        await place
          .leave(step)
          .catch((error: unknown) => log.warn({ err: error, runId: id }, 'a checkout was left behind'))
    }
  }

  /** A plan run reads on when the person writes again while it is at work. */
  async function heard(tx: Db, run: RunRow, after: number): Promise<{ texts: string[]; newest: number }> {
    if (run.purpose !== 'plan') return { texts: [], newest: after }
    const said = await deps.conversations.since(tx, run.conversationId, after)
    const texts = said.flatMap(({ sender, content }) => (sender.kind === 'user' ? [content] : []))
    return { texts, newest: said.at(-1)?.seq ?? after }
  }

  async function showSeat(tx: Db, run: RunRow, { state, activity }: SeatLook): Promise<void> {
    const isOver = state !== 'working'
    const mine = isOver ? { taskId: null, runId: null } : { taskId: run.taskId, runId: run.id }
    const agent = await changeSeat(tx, run.agentId, { state, activity, ...mine }, run.id)
    if (agent)
      await appendEvent(tx, projectTopic(run.projectId), { type: 'agent.changed', actor: house, data: { agent } })
  }

  /** Writes the end and frees the seat. What the person said too late for this run starts the next one. */
  async function settle(run: RunRow, end: End): Promise<void> {
    const error = end.state === 'failed' ? end.error : null
    const heardSeq = run.purpose === 'plan' ? await newestHeard(run) : 0
    const ended = await db.system(async (tx) => {
      const row = await endRun(tx, run, { state: end.state, error })
      if (!row) throw new LeaseLost(run.id, run.epoch)
      await showSeat(
        tx,
        row,
        end.state === 'failed'
          ? { state: 'failed', activity: oneLine(error ?? '') }
          : { state: 'idle', activity: null },
      )
      if (error !== null && !run.taskId) await sayFailure(tx, row, error)
      await appendEvent(tx, projectTopic(run.projectId), {
        type: 'agent.run.finished',
        actor: house,
        data: { run: toRun(row) },
      })
      if (run.purpose === 'plan' && end.state === 'done' && (await heard(tx, row, heardSeq)).texts.length > 0)
        await startAgain(tx, row)
      return row
    })
    await report(ended)
  }

  async function newestHeard(run: RunRow): Promise<number> {
    const [now, steps] = await db.system(
      async (tx) => [await findRun(tx, run.id), await listSteps(tx, run.id)] as const,
    )
    return Math.max(
      now?.opening?.heardSeq ?? 0,
      ...steps.map((step) => (step.kind === 'model' ? step.input.heardSeq : 0)),
    )
  }

  async function sayFailure(tx: Db, run: RunRow, error: string): Promise<void> {
    const { projectId, conversationId, id } = run
    const content = `The ${called(crew[run.role])} stopped. ${error}`
    const about = { projectId, conversationId, runId: id, kind: 'status' as const, content }
    await deps.conversations.post(tx, { ...about, sender: { kind: 'system' }, actor: house })
  }

  /**
   * Tells the task that its run failed or was cancelled. A run that is done has told it by itself (finish, verdict),
   * and a run that was followed by another is history. Marked after, so that a crash means telling it twice.
   */
  async function report(run: RunRow): Promise<void> {
    if (run.state !== 'failed' && run.state !== 'cancelled') return
    if (run.taskId && !(await db.system((tx) => hasNewerRun(tx, run))))
      await deps.tasks.runEnded({ id: run.id, taskId: run.taskId, purpose: run.purpose }, run.state, run.error)
    await db.system((tx) => markReported(tx, run.id))
  }

  /** Rings for what waits, and takes what this process has a place for: a ring can end at a worker that is leaving. */
  async function sweep(): Promise<void> {
    const waiting = await db.system((tx) => listClaimable(tx, perProject))
    if (waiting.length > 0) work().catch((error: unknown) => log.error({ err: error }, 'a run could not be taken'))
    for (const { id, epoch } of waiting) await queue.ring('agent.run', `${id}.${epoch}`)
    for (const run of await db.system((tx) => listUnreported(tx))) await report(run)
  }

  return {
    report,
    settle,
    /** Stops a run of this process at once; one of another process hears it at its next beat. */
    stop: (id: RunId) => atWork.get(id)?.stop.abort(new Cancelled('stopped by a person')),
    start() {
      queue.work('agent.run', () => work(), { concurrency: places })
      let sweeping: Promise<void> | null = null
      const timer = setInterval(() => {
        sweeping ??= sweep()
          .catch((error: unknown) => log.error({ err: error }, 'the sweep of runs failed'))
          .finally(() => (sweeping = null))
      }, sweepMs)
      return {
        /** Leaves every run to the next worker: waiting for a model ends at once, a tool may finish for some seconds. */
        async close() {
          clearInterval(timer)
          leaving.abort()
          await sweeping
          const all = Promise.allSettled([...atWork.values()].map(({ ended }) => ended))
          await Promise.race([all, new Promise((resolve) => setTimeout(resolve, leaveGraceMs).unref())])
        },
      }
    },
  }
}

type SeatLook = { state: 'working' | 'idle' | 'failed'; activity: string | null }
export type StartAgain = (tx: Db, run: RunRow) => Promise<unknown>
