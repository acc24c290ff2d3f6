import { setTimeout as sleep } from 'node:timers/promises'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { PreviewState } from '@guildhall/protocol/preview.ts'
import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import type { Database } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Log } from '../../platform/log.ts'
import type { RepositoryService } from '../repository/service.ts'
import type { SandboxSession } from '../sandbox/service.ts'
import { changePreview, findPreview, type PreviewRow, toPreview } from './store.ts'
import { tailOf } from './words.ts'

const system: Actor = { kind: 'system' }
/** A dev server that takes longer than this to listen is taken for broken. */
const readyWithinMs = 120_000
const lookEveryMs = 100
const tellEveryMs = 1_500

export const processName = (branch: string) => `preview:${branch}`

type Session = Pick<SandboxSession, 'dial' | 'process' | 'startProcess' | 'stopProcess'>
/** What a preview needs of the sandboxes. */
export interface Sandboxes {
  get: (actor: Actor, projectId: ProjectId) => Promise<Pick<Sandbox, 'state'>>
  /** Wakes it. */
  session: (projectId: ProjectId) => Promise<Session>
}

export interface RunnerOptions {
  db: Database
  sandbox: Sandboxes
  repository: Pick<RepositoryService, 'ensureWorkTree' | 'setUp'>
  originOf: (host: string) => string
  log: Log
  /** For tests: how long a server may take to listen. */
  readyMs?: number
}

/** Brings dev servers up and finds out what became of them. The row is the state; every change of it is an event. */
export function createRunner({ db, sandbox, repository, originOf, log, readyMs = readyWithinMs }: RunnerOptions) {
  /** Null when the preview is no longer in one of `from`: someone stopped or restarted it meanwhile. */
  const change = (
    row: PreviewRow,
    from: PreviewState[],
    values: Partial<Pick<PreviewRow, 'state' | 'logTail' | 'error'>>,
    actor: Actor = system,
  ): Promise<PreviewRow | null> =>
    db.system(async (tx) => {
      const changed = await changePreview(tx, row, from, values)
      if (!changed) return null
      const preview = toPreview(changed, originOf(changed.host))
      await appendEvent(tx, projectTopic(row.projectId), { type: 'preview.changed', actor, data: { preview } })
      return changed
    })

  /** Keeps the end of an output and tells it now and then, so that a long installation is seen to move. */
  function teller(row: PreviewRow) {
    let output = ''
    let toldAt = 0
    return (text: string) => {
      output = (output + text).slice(-32_000)
      if (Date.now() - toldAt < tellEveryMs) return
      toldAt = Date.now()
      change(row, ['installing'], { logTail: tailOf(output) }).catch((error: unknown) =>
        log.warn({ err: error, projectId: row.projectId }, 'progress of a preview could not be told'),
      )
    }
  }

  const isListening = (session: Session, port: number): Promise<boolean> =>
    session.dial(port).then(
      (stream) => {
        stream.destroy()
        return true
      },
      (error: unknown) => {
        if (isAppError(error, 'unavailable')) return false
        throw error
      },
    )

  /** Waits until the server listens. Answers how it is then, with the end of what it said. */
  async function settle(session: Session, row: PreviewRow) {
    const until = Date.now() + readyMs
    for (;;) {
      const process = await session.process(processName(row.branch))
      const logTail = tailOf(process?.tail ?? '')
      if (!process || process.state === 'exited') {
        return { state: 'crashed' as const, error: `\`${row.command}\` ${endOf(process?.exitCode)}.`, logTail }
      }
      if (await isListening(session, row.port)) return { state: 'ready' as const, error: null, logTail }
      if (Date.now() > until) {
        const error = `\`${row.command}\` runs, but did not listen on port ${row.port} within ${readyMs / 1_000} s.`
        return { state: 'crashed' as const, error, logTail }
      }
      await sleep(lookEveryMs)
    }
  }

  async function bringUp(row: PreviewRow): Promise<void> {
    const { projectId, branch, command } = row
    const tell = teller(row)
    const { path, port } = await repository.ensureWorkTree(projectId, branch, tell)
    await repository.setUp(projectId, branch, tell)
    if (!(await change(row, ['installing', 'starting'], { state: 'starting', logTail: '', error: null }))) return
    const session = await sandbox.session(projectId)
    await session.startProcess(processName(branch), {
      argv: ['sh', '-c', command],
      cwd: path,
      env: { PORT: String(port), HOST: '127.0.0.1', BROWSER: 'none', FORCE_COLOR: '0' },
    })
    const settled = await settle(session, { ...row, port })
    // Whoever stopped it in between found nothing to stop yet.
    if (!(await change(row, ['starting'], settled))) await stopUnlessWanted(session, row)
  }

  async function stopUnlessWanted(session: Session, { projectId, branch }: PreviewRow): Promise<void> {
    const now = await db.system((tx) => findPreview(tx, projectId, branch))
    if (!now || now.state === 'stopped') await session.stopProcess(processName(branch))
  }

  return {
    change,

    /** Does what an `installing` or `starting` row asks for; anything else is left alone. Failures become the state. */
    async run(projectId: ProjectId, branch: string): Promise<void> {
      const row = await db.system((tx) => findPreview(tx, projectId, branch))
      if (row?.state !== 'installing' && row?.state !== 'starting') return
      try {
        await bringUp(row)
      } catch (error) {
        const isPlain = isAppError(error)
        if (!isPlain) log.error({ err: error, projectId, branch }, 'a preview could not be started')
        const [first = '', ...rest] = (isPlain ? error.message : 'The preview could not be started.').split('\n')
        const failed = { state: 'crashed' as const, error: first, logTail: tailOf(rest.join('\n')) }
        await change(row, ['installing', 'starting'], failed)
      }
    },

    /**
     * Compares a `ready` row with what runs. Does not wake a sandbox. Answers the row as it is now; `asleep` also when
     * the sandbox was started anew and lost its processes.
     */
    async check(row: PreviewRow): Promise<PreviewRow> {
      const { state } = await sandbox.get(system, row.projectId)
      if (state !== 'running') {
        if (state === 'creating' || state === 'stopping') return row
        return (await change(row, ['ready'], { state: 'asleep' })) ?? row
      }
      const session = await sandbox.session(row.projectId)
      const process = await session.process(processName(row.branch))
      if (process?.state === 'running') return row
      if (!process) return (await change(row, ['ready'], { state: 'asleep' })) ?? row
      return (await change(row, ['ready'], await settle(session, row))) ?? row
    },

    async stopProcess(row: PreviewRow): Promise<void> {
      const { state } = await sandbox.get(system, row.projectId)
      if (state !== 'running') return
      await (await sandbox.session(row.projectId)).stopProcess(processName(row.branch))
    },
  }
}
export type Runner = ReturnType<typeof createRunner>

function endOf(exitCode: number | null | undefined): string {
  if (exitCode === null || exitCode === undefined) return 'was ended'
  // 128 + SIGKILL: nobody but the kernel does that to a server by itself.
  if (exitCode === 137) return 'was killed (exit code 137); most often that means it ran out of memory'
  return `ended with exit code ${exitCode}`
}
