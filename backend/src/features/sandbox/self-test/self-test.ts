import type { HealthPart } from '@guildhall/protocol/health.ts'
import { AppError, isAppError } from '../../../platform/errors.ts'
import type { Log } from '../../../platform/log.ts'
import type { SandboxDriver } from '../driver.ts'
import type { SlotRow } from '../store.ts'
import type { SandboxSession } from '../session/session.ts'
import { asScript, readAnswers, walls } from './facts.ts'

/** A miss is looked at again by itself after so long, twice as long each time: the engine may have been mended. */
const retryMs = 30_000
const maxRetryMs = 10 * 60_000
const withinMs = 30_000

type Verdict = { key: string; miss: string | null; facts: number; tookMs: number }

/**
 * The gate before the first sandbox of this process: a probe with the very same profile is started and asked for each
 * of its walls. What was found holds for that image on that engine, and is remembered in memory. A wall that is missing
 * closes the gate with a sentence that names it; an engine or image that is not there is no verdict, and is asked anew.
 */
export function createSelfTest({
  driver,
  withProbe,
  log,
}: {
  driver: SandboxDriver
  /** A throw-away sandbox with the profile of every sandbox; gone when this resolves. */
  withProbe: <T>(image: string, work: (session: SandboxSession, row: SlotRow) => Promise<T>) => Promise<T>
  log: Log
}) {
  let verdict: Verdict | null = null
  /** Why the probe itself could not be asked. */
  let trouble: string | null = null
  let underWay: { key: string; done: Promise<Verdict> } | null = null
  let retry: NodeJS.Timeout | undefined
  let pauseMs = retryMs
  let isClosed = false

  async function probe(image: string, key: string): Promise<Verdict> {
    const startedAt = performance.now()
    const found = await withProbe(image, async (session, row) => {
      const facts = walls(row)
      const { stdout } = await session.exec({ argv: ['bash', '-c', asScript(facts)], timeoutMs: withinMs })
      return readAnswers(facts, stdout.toString('utf8'))
    })
    const missing = found.filter(({ fact, said }) => said !== fact.expected)
    const tookMs = Math.round(performance.now() - startedAt)
    if (missing.length === 0) {
      log.info({ image, facts: found.length, tookMs }, 'the walls of sandboxes stand')
      return { key, miss: null, facts: found.length, tookMs }
    }
    log.error({ image, missing }, 'sandboxes of this engine are not closed: none is started')
    return { key, miss: sentence(missing), facts: found.length, tookMs }
  }

  function test(image: string, key: string): Promise<Verdict> {
    if (underWay?.key === key) return underWay.done
    const done = probe(image, key)
      .then(
        (found) => {
          verdict = found
          trouble = null
          if (found.miss) lookAgain(image)
          else pauseMs = retryMs
          return found
        },
        (error: unknown) => {
          // An engine that went away is no fault of its sandboxes, and says so itself.
          trouble = isAppError(error, 'no_engine') ? null : error instanceof Error ? error.message : String(error)
          if (trouble) lookAgain(image)
          throw error
        },
      )
      .finally(() => {
        if (underWay?.key === key) underWay = null
      })
    underWay = { key, done }
    return done
  }

  function lookAgain(image: string): void {
    if (isClosed) return
    clearTimeout(retry)
    retry = setTimeout(() => {
      verdict = null
      pass(image).catch((error: unknown) => log.warn({ err: error }, 'the walls of sandboxes were looked at again'))
    }, pauseMs).unref()
    pauseMs = Math.min(pauseMs * 2, maxRetryMs)
  }

  /** Lets pass who would hand out a sandbox of this image. Throws `unavailable` naming the wall that is missing. */
  async function pass(image: string): Promise<void> {
    if (!driver.isolated) return
    const key = `${image} ${await driver.identity()}`
    const found = verdict?.key === key ? verdict : await test(image, key)
    if (found.miss) throw new AppError('unavailable', found.miss)
  }

  return {
    pass,
    /** The wall that is missing, as a sentence. */
    miss: () => verdict?.miss ?? null,
    /** For the health page; asks nothing. */
    state(): Omit<HealthPart, 'name'> {
      if (!driver.isolated) {
        return { status: 'off', detail: 'not isolated and not tested: plain processes of this machine (ENGINE=local)' }
      }
      if (verdict?.miss) return { status: 'failing', detail: verdict.miss }
      if (verdict) {
        const disks = 'disks are watched, not fenced by the kernel'
        return { status: 'ok', detail: `${verdict.facts} walls stand (tested in ${verdict.tookMs} ms); ${disks}` }
      }
      if (trouble) return { status: 'failing', detail: `The walls of sandboxes could not be tested: ${trouble}` }
      return { status: 'off', detail: 'its walls are tested before the first one is handed out' }
    },
    async close(): Promise<void> {
      isClosed = true
      clearTimeout(retry)
      await underWay?.done.catch(() => undefined)
    },
  }
}
export type SelfTest = ReturnType<typeof createSelfTest>

function sentence(missing: ReturnType<typeof readAnswers>): string {
  const [first, ...more] = missing
  const { fact, said } = first!
  const found = said === null ? 'no answer' : said === '' ? 'nothing' : `“${said.slice(0, 200).replaceAll('\n', ' ')}”`
  const others = more.length === 0 ? '' : ` ${more.length} more: ${more.map(({ fact: { name } }) => name).join('; ')}.`
  return (
    `Sandboxes are not closed on this engine, so none is started. Missing: ${fact.name} ` +
    `(wanted “${fact.expected.replaceAll('\n', ' ')}”, found ${found}).${others}`
  )
}
