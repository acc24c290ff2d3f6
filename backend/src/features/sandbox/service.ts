import { createHash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { HealthPart } from '@guildhall/protocol/health.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type {
  Exec,
  ExecResult,
  LogQuery,
  Sandbox,
  StatsPoint,
  StatsQuery,
  Terminal,
} from '@guildhall/protocol/sandbox.ts'
import type { Database } from '../../platform/db/database.ts'
import { forbidden, isAppError } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Log } from '../../platform/log.ts'
import type { Authorize } from '../projects/service.ts'
import type { SandboxDriver } from './driver.ts'
import { createDockerDriver } from './drivers/docker.ts'
import { createLocalDriver } from './drivers/local.ts'
import { createNoDriver } from './drivers/none.ts'
import { createAllowedHosts } from './egress/allowed.ts'
import { createEgress, type Egress, type EgressOptions } from './egress/egress.ts'
import { createDiskWatch } from './disk-watch.ts'
import { createFreshSandboxes, createThrowaways } from './fresh.ts'
import { createSandboxImage } from './image.ts'
import { createKeeper } from './keeper.ts'
import { createLifecycle } from './lifecycle.ts'
import { createReconciler } from './reconcile.ts'
import { createSelfTest } from './self-test/self-test.ts'
import type { Stats } from './session/messages.ts'
import type { OpenSession, SandboxSession } from './session/session.ts'
import { createSessions } from './sessions.ts'
import { createStatsSeries, readSeries } from './stats-series.ts'
import { findSlot } from './store.ts'
import { createTerminals } from './terminals.ts'

export type { ExecCall, ExecOutcome, FileEntry, SandboxSession, StepRef } from './session/session.ts'

const house: Actor = { kind: 'system' }

export interface SandboxConfig {
  engine: 'auto' | 'none' | 'local'
  dockerHost: string | null
  sandboxImage: string
  sandboxBaseImage: string | null
  dataDir: string
  npmRegistry: string | null
  pypiIndex: string | null
}

/** Keeps installations, and tests, on one engine apart: who sweeps, sweeps only its own. */
export const instanceOf = (dataDir: string) => createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 12)

function driverFor(config: SandboxConfig, labels: Record<string, string>): SandboxDriver {
  const { engine, dockerHost, dataDir, npmRegistry } = config
  if (engine === 'none') return createNoDriver()
  if (engine === 'local') return createLocalDriver({ dataDir, npmRegistry })
  return createDockerDriver({ dockerHost, instance: instanceOf(dataDir), labels })
}

/**
 * The sandboxes of all projects: one each, made on first use, woken when needed, and kept true to what the engine says.
 * `labels` go on everything that is made in the engine. The caller closes it; containers run on.
 */
export function createSandboxService({
  db,
  authorize,
  config,
  ensureWorkTree,
  log,
  labels = {},
  driver = driverFor(config, labels),
  network = {},
}: {
  db: Database
  authorize: Authorize
  config: SandboxConfig
  /** Where a branch is worked on inside; a later feature's, called only when all stand. */
  ensureWorkTree: (projectId: ProjectId, branch: string) => Promise<{ path: string; port: number }>
  log: Log
  labels?: Record<string, string>
  driver?: SandboxDriver
  /** How names are resolved and addresses reached; a test plays the internet here. */
  network?: Pick<EgressOptions, 'resolve' | 'dial'>
}) {
  const keeperName = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`
  const sandboxImage = createSandboxImage({
    hasImage: (name) => driver.hasImage(name),
    dockerHost: config.dockerHost,
    image: config.sandboxImage,
    baseImage: config.sandboxBaseImage,
    log,
  })
  const sessions = createSessions(driver)
  const allowedHosts = createAllowedHosts({
    db,
    authorize,
    onWithdrawn: (projectId) =>
      void egress
        .recheck(projectId)
        .catch((error: unknown) => log.warn({ err: error, projectId }, 'open connections were not looked at')),
  })
  const egress: Egress = createEgress({
    npmRegistry: config.npmRegistry,
    pypiIndex: config.pypiIndex,
    cacheDir: join(config.dataDir, 'packages'),
    allowedHosts: allowedHosts.targetsOf,
    onRefused: (projectId, refusal) =>
      db.system(async (tx) => {
        await appendEvent(tx, projectTopic(projectId), { type: 'egress.refused', actor: house, data: refusal })
      }),
    onTraffic: allowedHosts.addTraffic,
    ...network,
    log,
  })
  const keeper = createKeeper({ db, driver, egress, name: keeperName, log })
  const withThrowaway = createThrowaways({ db, driver, sessions, keeper, keeperName, log })
  const selfTest = createSelfTest({
    driver,
    withProbe: (image, work) => withThrowaway(image, null, work),
    log,
  })
  /** Whoever asks for the image gets one whose sandboxes are closed: this is the gate. */
  async function imageName(): Promise<string> {
    const image = driver.isolated ? await sandboxImage.ensure() : 'none (local processes)'
    await selfTest.pass(image)
    return image
  }
  const lifecycle = createLifecycle({ db, driver, sessions, imageName, log })
  const reconciler = createReconciler({ db, driver, lifecycle, sessions, log })
  const diskWatch = createDiskWatch({ keeper, lifecycle, sessions, log })
  const statsSeries = createStatsSeries({ db, keeper, sessions, log })
  const withFreshSandbox = createFreshSandboxes({ driver, imageName, withThrowaway })

  /** Wakes and answers a session whose bridge stands. A row that says "running" may be a moment behind the engine. */
  async function wake(projectId: ProjectId, actor: Actor = house): Promise<OpenSession> {
    const row = await db.system((tx) => findSlot(tx, projectId))
    if (row?.state === 'running' && row.driver === driver.name && !lifecycle.isBusy(projectId)) {
      // One that an earlier process started is handed out by this one only behind the same gate.
      await selfTest.pass(row.image)
      const session = sessions.of(row.id)
      try {
        await session.connection.ready()
        return session
      } catch (error) {
        if (!isAppError(error)) throw error
        sessions.forget(row.id)
      }
    }
    const woken = await lifecycle.wake(projectId, actor)
    return sessions.ready(woken.id)
  }

  async function running(projectId: ProjectId): Promise<OpenSession | null> {
    const row = await db.system((tx) => findSlot(tx, projectId))
    return row?.state === 'running' ? sessions.of(row.id) : null
  }

  async function get(actor: Actor, projectId: ProjectId): Promise<Sandbox> {
    await authorize(actor, 'project.read', { projectId })
    const container = lifecycle.shown(projectId, await db.as(actor, (tx) => findSlot(tx, projectId)))
    const problem = container.state === 'running' ? null : (reconciler.problem() ?? selfTest.miss())
    return { ...container, error: container.error ?? problem }
  }

  const terminals = createTerminals({ authorize, wake, running, ensureWorkTree })

  return {
    get,
    /** Starts the sandbox, making it first when there is none; waits until it answers. Throws `no_engine`, `unavailable`. */
    async start(actor: Actor, projectId: ProjectId): Promise<Sandbox> {
      await authorize(actor, 'project.work', { projectId })
      await lifecycle.wake(projectId, actor)
      return get(actor, projectId)
    },
    /** Stops it; the files stay. The next use wakes it again. */
    async stop(actor: Actor, projectId: ProjectId): Promise<Sandbox> {
      await authorize(actor, 'project.work', { projectId })
      await lifecycle.stop(projectId, actor)
      return get(actor, projectId)
    },
    async restart(actor: Actor, projectId: ProjectId): Promise<Sandbox> {
      await authorize(actor, 'project.work', { projectId })
      await lifecycle.restart(projectId, actor)
      return get(actor, projectId)
    },
    /** The house's own start, a step of making a project. */
    async provision(projectId: ProjectId): Promise<void> {
      await wake(projectId)
    },
    /** Ends and removes container, files and row. Repeatable; without an engine only what needs none. */
    removeProject: (projectId: ProjectId): Promise<void> => lifecycle.remove(projectId),
    /** A running sandbox, woken if need be. Throws `no_engine` or `unavailable` with the reason. */
    session: (projectId: ProjectId): Promise<SandboxSession> => wake(projectId),
    /**
     * A throw-away sandbox with an empty /workspace for one piece of work: same image and walls, package mirrors on
     * behalf of the project, always removed. Two at a time in a process, others wait.
     */
    withFreshSandbox,
    /** Runs one shell command in a branch's work tree. Throws `forbidden` for viewers. */
    async exec(actor: Actor, projectId: ProjectId, { command, branch, cwd, timeoutMs }: Exec): Promise<ExecResult> {
      await authorize(actor, 'project.work', { projectId })
      const { path, port } = await ensureWorkTree(projectId, branch)
      if (cwd?.startsWith('/') || cwd?.split('/').includes('..')) throw forbidden('cwd stays inside the work tree')
      const session = await wake(projectId, actor)
      const outcome = await session.exec({
        argv: ['bash', '-c', command],
        cwd: cwd ? join(path, cwd) : path,
        env: { PORT: String(port) },
        timeoutMs,
      })
      return { ...outcome, stdout: outcome.stdout.toString('utf8'), stderr: outcome.stderr.toString('utf8') }
    },
    /** What the container itself wrote, newest last. */
    async logs(actor: Actor, projectId: ProjectId, query: LogQuery): Promise<{ lines: string[]; dropped: number }> {
      await authorize(actor, 'project.read', { projectId })
      const row = await db.as(actor, (tx) => findSlot(tx, projectId))
      const lines = row ? await driver.logs(row.id, query) : []
      return { lines: lines.map((line) => line.slice(0, 10_000)), dropped: 0 }
    },
    /** What it uses now (null while it does not run), and what it used, oldest first. */
    async stats(
      actor: Actor,
      projectId: ProjectId,
      query: StatsQuery,
    ): Promise<{ now: Stats | null; series: StatsPoint[] }> {
      await authorize(actor, 'project.read', { projectId })
      const session = await running(projectId)
      const [now, series] = await Promise.all([
        session ? session.stats() : null,
        db.as(actor, (tx) => readSeries(tx, projectId, query)),
      ])
      return { now, series }
    },
    /** What its code may reach besides the package mirrors. */
    hosts: {
      list: allowedHosts.list,
      allow: allowedHosts.allow,
      withdraw: allowedHosts.withdraw,
    },
    terminals: terminals.door,
    listTerminals: (actor: Actor, projectId: ProjectId): Promise<Terminal[]> => terminals.list(actor, projectId),
    removeTerminal: terminals.remove,
    /**
     * Tests the walls of sandboxes ahead of the first one, where engine and image are there already. Not awaited by
     * whoever starts the process; without it the first sandbox waits for the test.
     */
    async testWalls(): Promise<void> {
      if (!driver.isolated || config.engine === 'none') return
      try {
        await driver.check()
        if (await sandboxImage.isThere()) await imageName()
      } catch (error) {
        if (!isAppError(error)) throw error
        log.warn({ err: error }, 'the walls of sandboxes were not tested yet')
      }
    },
    /** For the health page: whether sandboxes are closed. */
    wallsState: (): Omit<HealthPart, 'name'> =>
      config.engine === 'none' ? { status: 'off', detail: 'ENGINE=none: no sandboxes' } : selfTest.state(),
    /** For the health page. */
    engineState(): HealthPart {
      if (config.engine === 'none') return { name: 'engine', status: 'off', detail: 'ENGINE=none: no sandboxes' }
      const problem = reconciler.problem()
      if (problem) return { name: 'engine', status: 'failing', detail: problem }
      const detail = driver.isolated
        ? 'answers; sandboxes are containers without a network'
        : 'local processes without isolation (ENGINE=local)'
      return { name: 'engine', status: 'ok', detail }
    },
    async close(): Promise<void> {
      diskWatch.close()
      statsSeries.close()
      await selfTest.close()
      await reconciler.close()
      await keeper.close()
      sessions.close()
      await egress.close()
      await driver.close()
    },
  }
}
export type SandboxService = ReturnType<typeof createSandboxService>
