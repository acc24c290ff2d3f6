import { spawn, type ChildProcess } from 'node:child_process'
import { statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { killTree, marked, newMark, offerToOutOfMemoryKiller } from './kill.ts'
import { HeadAndTail } from './output.ts'
import { Failure, type ExecCall, type ExecEnd } from './wire.ts'

/** Between the polite signal and the last one. */
const graceMs = 1_500
/** A background child may hold the pipes open after the command itself has ended; it does not hold the answer. */
const lingerMs = 200

export type Outcome = { end: ExecEnd; stdout: Buffer; stderr: Buffer }

/** Takes live output; answers false when it is full, and calls back once when it has room again. */
export interface Sink {
  write(kind: 'O' | 'E', chunk: Buffer): boolean
  onceDrained(callback: () => void): void
}

/**
 * One command in a process group of its own. It ends by itself, by `kill`, or by its timeouts, and then nothing of its
 * tree is left when it was killed; a command that ends well may leave a process in the background, as in any shell.
 */
export class Run {
  readonly done: Promise<Outcome>
  readonly #child: ChildProcess
  readonly #mark = newMark()
  readonly #excuse: (sinceMs: number) => string | null
  #sink: Sink | null
  #wasKilled = false

  /** `excuse`: what to say to a command that failed, when something here ended it since that time. */
  constructor(
    call: ExecCall,
    baseEnv: Record<string, string>,
    sink: Sink | null,
    excuse: (sinceMs: number) => string | null,
  ) {
    this.#sink = sink
    this.#excuse = excuse
    checkFolder(call.cwd)
    const startedAt = performance.now()
    const [file, ...rest] = call.argv as [string, ...string[]]
    this.#child = spawn(file, rest, {
      cwd: call.cwd,
      env: marked({ ...baseEnv, ...call.env }, this.#mark),
      stdio: [call.hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    })
    if (this.#child.pid !== undefined) offerToOutOfMemoryKiller(this.#child.pid)
    this.done = this.#follow(call, startedAt)
  }

  /** Output goes nowhere from now on (it is still kept): the reader is gone, the command is not. */
  detach(): void {
    this.#sink = null
    this.#child.stdout?.resume()
    this.#child.stderr?.resume()
  }

  /** Ends the whole tree: the polite signal first, SIGKILL a moment later. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    const pid = this.#child.pid
    if (pid === undefined || (this.#wasKilled && signal !== 'SIGKILL')) return
    this.#wasKilled = true
    killTree(pid, this.#mark, signal)
    const last = setTimeout(() => killTree(pid, this.#mark, 'SIGKILL'), graceMs)
    void this.done.then(() => {
      clearTimeout(last)
      killTree(pid, this.#mark, 'SIGKILL')
    })
  }

  /** Feeds standard input with the command's own backpressure; a command that stops reading drops the rest. */
  async feed(chunk: Buffer): Promise<void> {
    const input = this.#child.stdin
    if (!input || input.destroyed || !input.writable) return
    if (input.write(chunk)) return
    await new Promise<void>((resolve) => {
      const go = () => {
        input.off('drain', go)
        input.off('close', go)
        resolve()
      }
      input.on('drain', go)
      input.on('close', go)
    })
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  async #follow(call: ExecCall, startedAt: number): Promise<Outcome> {
    const child = this.#child
    const beganAtMs = Date.now()
    const stdout = new HeadAndTail(call.maxBytes)
    const stderr = new HeadAndTail(call.maxBytes)
    const counts = { stdout: 0, stderr: 0 }
    let timedOut = false
    const timeOut = () => {
      timedOut = true
      this.kill()
    }
    const total = setTimeout(timeOut, call.timeoutMs)
    let quiet = call.quietMs === null ? null : setTimeout(timeOut, call.quietMs)
    const isHeard = () => {
      if (quiet === null || call.quietMs === null) return
      clearTimeout(quiet)
      quiet = setTimeout(timeOut, call.quietMs)
    }
    const take = (stream: Readable, kept: HeadAndTail, kind: 'O' | 'E', name: 'stdout' | 'stderr') =>
      stream.on('data', (chunk: Buffer) => {
        isHeard()
        counts[name] += chunk.length
        kept.push(chunk)
        if (this.#sink && !this.#sink.write(kind, chunk)) {
          stream.pause()
          this.#sink.onceDrained(() => stream.resume())
        }
      })
    take(child.stdout!, stdout, 'O', 'stdout')
    take(child.stderr!, stderr, 'E', 'stderr')
    // EPIPE: the command closed its input early, which is its right.
    child.stdin?.on('error', () => child.stdin?.destroy())

    const ended = await new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (child.pid !== undefined) return
        stderr.push(Buffer.from(`${call.argv[0]}: ${spawnProblem(error)}\n`))
        resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: null })
      })
      child.on('exit', (code, signal) => {
        const linger = setTimeout(() => {
          child.stdout?.destroy()
          child.stderr?.destroy()
          resolve({ code, signal })
        }, lingerMs)
        child.on('close', () => {
          clearTimeout(linger)
          resolve({ code, signal })
        })
      })
    })
    clearTimeout(total)
    if (quiet) clearTimeout(quiet)
    const excuse = ended.code === 0 ? null : this.#excuse(beganAtMs)
    if (excuse) {
      const words = Buffer.from(`\n${excuse}\n`)
      counts.stderr += words.length
      stderr.push(words)
      this.#sink?.write('E', words)
    }
    const [keptOut, keptErr] = [stdout.bytes(), stderr.bytes()]
    const end: ExecEnd = {
      exitCode: ended.code,
      signal: ended.signal,
      timedOut,
      durationMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
      stdoutBytes: counts.stdout,
      stderrBytes: counts.stderr,
      leftOutBytes: stdout.leftOutBytes + stderr.leftOutBytes,
    }
    return { end, stdout: keptOut, stderr: keptErr }
  }
}

/** spawn answers ENOENT for a missing folder as for a missing program; the difference matters to the reader. */
export function checkFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) throw new Failure('not_found', `The folder ${path} does not exist`)
  if (!found.isDirectory()) throw new Failure('invalid', `${path} is not a folder`)
}

function spawnProblem(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'command not found'
  if (error.code === 'EACCES') return 'permission denied'
  return error.message
}
