import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, isAppError } from '../../platform/errors.ts'
import type { SandboxService, SandboxSession } from '../sandbox/service.ts'
import type { Held } from './lease.ts'
import type { RunRow } from './store.ts'

/** What a run needs of its sandbox. */
export type RunSession = Pick<SandboxSession, 'exec' | 'result' | 'readFile' | 'writeFile' | 'list' | 'remove'>

/** For so long a run waits for a sandbox that went away: an engine that is restarted is back by then. */
const patienceMs = 60_000
const pauseMs = 1_000

/**
 * The sandbox as a run sees it from its first step to its last, over restarts of the container and of the engine. The
 * call under which it went away fails, since nobody knows how far it came; the next one wakes it, waiting for a moment
 * where it must, and announces the run's epoch, which died with the supervisor. `whenBack` then makes the run's place
 * anew, should the volume be gone too.
 */
export async function openRunSession(
  sandbox: Pick<SandboxService, 'session'>,
  run: Held & Pick<RunRow, 'projectId'>,
  signal: AbortSignal,
  whenBack: (session: SandboxSession) => Promise<unknown>,
  waitMs = patienceMs,
): Promise<RunSession> {
  async function open(): Promise<SandboxSession> {
    const session = await sandbox.session(run.projectId)
    await session.claim(run.id, run.epoch)
    return session
  }

  async function openPatiently(): Promise<SandboxSession> {
    for (const until = Date.now() + waitMs; ;) {
      signal.throwIfAborted()
      try {
        const session = await open()
        await whenBack(session)
        return session
      } catch (error) {
        if (!isGone(error) || Date.now() > until) throw error
      }
      await sleep(pauseMs)
    }
  }

  // At the start there is nothing to lose: what is missing is told at once.
  let current: Promise<SandboxSession> | null = Promise.resolve(await open())

  async function use<Result>(work: (session: SandboxSession) => Promise<Result>): Promise<Result> {
    const mine = (current ??= openPatiently())
    let session: SandboxSession | null = null
    try {
      session = await mine
      return await work(session)
    } catch (error) {
      if (!isGone(error)) throw error
      // A full disk is refused with the same word, by a sandbox that is there and knows the run.
      if (session && (await isThere(session))) throw error
      if (current === mine) current = null
      if (!session) throw error
      throw new AppError('unavailable', `${error.message}. ${afterwards}`, { cause: error })
    }
  }

  const isThere = (session: SandboxSession) =>
    session.claim(run.id, run.epoch).then(
      () => true,
      (error: unknown) => {
        if (isGone(error)) return false
        throw error
      },
    )

  return {
    exec: (call) => use((session) => session.exec(call)),
    result: (step) => use((session) => session.result(step)),
    readFile: (path) => use((session) => session.readFile(path)),
    writeFile: (...call) => use((session) => session.writeFile(...call)),
    list: (...call) => use((session) => session.list(...call)),
    remove: (...call) => use((session) => session.remove(...call)),
  }
}

const afterwards =
  'Your files are kept, and the next call finds the sandbox running again. How far this one came is not known: look at the state (git status) before you repeat it.'

const isGone = (error: unknown): error is AppError => isAppError(error, 'unavailable') || isAppError(error, 'no_engine')
