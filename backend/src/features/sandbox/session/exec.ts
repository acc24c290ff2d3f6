import type { ClientHttp2Stream } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadAndTail } from '@guildhall/supervisor/output.ts'
import { encodeData, encodeFrame, encodeJson } from '@guildhall/supervisor/wire.ts'
import type { AppError } from '../../../platform/errors.ts'
import { isAppError } from '../../../platform/errors.ts'
import { broken, finish, frames, parsed, type Connection } from './connection.ts'
import { ExecEnd, StepResult } from './messages.ts'
import type { Paths } from './paths.ts'

/** Which step of which run a change belongs to; `epoch` is the fencing number of the worker that holds the run. */
export type StepRef = { runId: string; epoch: number; stepId: string }

export type ExecCall = {
  argv: string[]
  /** /workspace unless told. */
  cwd?: string | undefined
  env?: Record<string, string> | undefined
  stdin?: Buffer | undefined
  timeoutMs?: number | undefined
  quietMs?: number | undefined
  maxBytes?: number | undefined
  signal?: AbortSignal | undefined
  onOutput?: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined
  step?: StepRef | undefined
}

export type ExecOutcome = {
  exitCode: number | null
  signal: string | null
  stdout: Buffer
  stderr: Buffer
  leftOutBytes: number
  timedOut: boolean
  durationMs: number
}

const defaultTimeoutMs = 120_000
const defaultMaxBytes = 1024 * 1024
/** Up to here the sandbox keeps the output and sends it at the end; for more it streams, and we keep. */
const maxKeptInsideBytes = 4 * 1024 * 1024
const maxKeptHereBytes = 512 * 1024 * 1024
/** Added to the command's own deadline before the bridge is taken for dead. */
const answerSlackMs = 30_000
const harvestEveryMs = 250

/** The command half of a session; see `SandboxSession` for its promises. */
export function createExec({ open }: Connection, paths: Paths) {
  async function exec(call: ExecCall): Promise<ExecOutcome> {
    call.signal?.throwIfAborted()
    const timeoutMs = call.timeoutMs ?? defaultTimeoutMs
    const maxBytes = Math.min(call.maxBytes ?? defaultMaxBytes, maxKeptHereBytes)
    const live = call.onOutput !== undefined || maxBytes > maxKeptInsideBytes
    let stream: ClientHttp2Stream | null = null
    try {
      stream = await open('exec', {
        argv: paths.words(call.argv),
        cwd: paths.folder(call.cwd ?? '/workspace'),
        env: paths.environment(call.env ?? {}),
        hasInput: call.stdin !== undefined,
        timeoutMs,
        quietMs: call.quietMs,
        maxBytes: live ? Math.min(maxBytes, defaultMaxBytes) : maxBytes,
        live,
        step: call.step,
      })
      return await follow(stream, call, { live, maxBytes, timeoutMs })
    } catch (error) {
      if (!call.step || !stream || !isAppError(error, 'unavailable')) throw error
      return harvest(call.step, Date.now() + timeoutMs + answerSlackMs, error)
    } finally {
      if (stream) finish(stream)
    }
  }

  /** The bridge broke under a step: its command may still run, so its outcome is fetched and it is not run again. */
  async function harvest(step: StepRef, until: number, cause: AppError): Promise<ExecOutcome> {
    while (Date.now() < until) {
      const found = await result(step)
      if (found === 'unknown') break
      if (found !== 'running') return found
      await sleep(harvestEveryMs)
    }
    throw cause
  }

  async function result(step: StepRef): Promise<ExecOutcome | 'unknown' | 'running'> {
    const stream = await open('result', { step })
    const late = setTimeout(() => stream.destroy(), answerSlackMs)
    try {
      const kept = collector(defaultMaxBytes * 4)
      for await (const { kind, payload } of frames(stream)) {
        if (kind === 'O' || kind === 'E') kept.take(kind, payload)
        if (kind !== 'X') continue
        const found = parsed(StepResult, payload)
        return found.state === 'done' ? outcomeOf(found, kept, found.leftOutBytes) : found.state
      }
      throw broken('The sandbox ended the call without an answer')
    } finally {
      clearTimeout(late)
      finish(stream)
    }
  }

  return { exec, result }
}

async function follow(
  stream: ClientHttp2Stream,
  call: ExecCall,
  { live, maxBytes, timeoutMs }: { live: boolean; maxBytes: number; timeoutMs: number },
): Promise<ExecOutcome> {
  const cancel = () => {
    if (!stream.destroyed) stream.write(encodeJson('K', {}))
  }
  call.signal?.addEventListener('abort', cancel, { once: true })
  const late = setTimeout(() => stream.destroy(), timeoutMs + answerSlackMs)
  // Kept inside, the output comes with one line more where something was left out.
  const kept = collector(live ? maxBytes : maxBytes + 1_024)
  let refused: unknown = null
  try {
    if (call.stdin) void feed(stream, call.stdin)
    for await (const { kind, payload } of frames(stream)) {
      if (kind === 'O' || kind === 'E') {
        kept.take(kind, payload)
        try {
          call.onOutput?.(kind === 'O' ? 'stdout' : 'stderr', payload)
        } catch (error) {
          refused ??= error
          cancel()
        }
      }
      if (kind !== 'X') continue
      if (refused !== null) throw refused
      const end = parsed(ExecEnd, payload)
      const inside = live && !end.replayed ? 0 : end.leftOutBytes
      return outcomeOf(end, kept, inside + kept.leftOutBytes())
    }
    throw broken('The sandbox ended the call without an answer')
  } finally {
    clearTimeout(late)
    call.signal?.removeEventListener('abort', cancel)
  }
}

/** An empty frame says that the input has ended; the stream itself stays open, for a cancel. */
async function feed(stream: ClientHttp2Stream, input: Buffer): Promise<void> {
  for (const frame of encodeData('I', input)) {
    if (stream.destroyed) return
    if (stream.write(frame)) continue
    await new Promise<void>((resolve) => {
      const go = () => {
        stream.off('drain', go)
        stream.off('close', go)
        resolve()
      }
      stream.on('drain', go)
      stream.on('close', go)
    })
  }
  if (!stream.destroyed) stream.write(encodeFrame('I', Buffer.alloc(0)))
}

function collector(limit: number) {
  const stdout = new HeadAndTail(limit)
  const stderr = new HeadAndTail(limit)
  return {
    take: (kind: string, payload: Buffer) => (kind === 'O' ? stdout : stderr).push(payload),
    stdout,
    stderr,
    leftOutBytes: () => stdout.leftOutBytes + stderr.leftOutBytes,
  }
}

function outcomeOf(end: ExecEnd, kept: ReturnType<typeof collector>, leftOutBytes: number): ExecOutcome {
  const { exitCode, signal, timedOut, durationMs } = end
  const [stdout, stderr] = [kept.stdout.bytes(), kept.stderr.bytes()]
  return { exitCode, signal, stdout, stderr, leftOutBytes, timedOut, durationMs }
}
