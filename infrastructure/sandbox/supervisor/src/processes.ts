import { spawn } from 'node:child_process'
import { checkFolder } from './exec.ts'
import { killTree, marked, newMark, offerToOutOfMemoryKiller, type Mark } from './kill.ts'
import { Tail } from './output.ts'
import { Failure, type ProcessInfo } from './wire.ts'

const tailBytes = 64 * 1024
const graceMs = 4_000
const maxProcesses = 64

type Listener = (chunk: Buffer) => void
type Entry = {
  pid: number
  mark: Mark
  exitCode: number | null
  hasExited: boolean
  exited: Promise<void>
  output: Tail
}

/** Long-lived processes by name (a dev server). They do not depend on any bridge; their last output stays readable. */
export class Processes {
  readonly #baseEnv: Record<string, string>
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #busy = new Map<string, Promise<unknown>>()

  constructor(baseEnv: Record<string, string>) {
    this.#baseEnv = baseEnv
  }

  /** A running process of the same name is ended first. */
  async start(name: string, call: { argv: string[]; cwd: string; env: Record<string, string> }): Promise<void> {
    await this.#alone(name, async () => {
      checkFolder(call.cwd)
      await this.#end(name)
      if (!this.#entries.has(name) && this.#entries.size >= maxProcesses) {
        throw new Failure('conflict', `There are ${maxProcesses} named processes already`)
      }
      this.#entries.set(name, await this.#spawn(name, call))
    })
  }

  async stop(name: string): Promise<void> {
    await this.#alone(name, () => this.#end(name))
  }

  find(name: string): ProcessInfo | null {
    const entry = this.#entries.get(name)
    if (!entry) return null
    const tail = entry.output.from(0).bytes.toString('utf8')
    return { state: entry.hasExited ? 'exited' : 'running', exitCode: entry.exitCode, tail }
  }

  /** Live output from now on, also of a later process of that name. */
  listen(name: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(name)
    }
  }

  signalAll(signal: NodeJS.Signals): void {
    for (const entry of this.#entries.values()) if (!entry.hasExited) killTree(entry.pid, entry.mark, signal)
  }

  async #spawn(name: string, call: { argv: string[]; cwd: string; env: Record<string, string> }): Promise<Entry> {
    const mark = newMark()
    const [file, ...rest] = call.argv as [string, ...string[]]
    const child = spawn(file, rest, {
      cwd: call.cwd,
      env: marked({ ...this.#baseEnv, ...call.env }, mark),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (error) => reject(new Failure('invalid', `${file} cannot be started: ${error.message}`)))
    })
    offerToOutOfMemoryKiller(child.pid!)
    const exit = Promise.withResolvers<void>()
    const entry: Entry = {
      pid: child.pid!,
      mark,
      exitCode: null,
      hasExited: false,
      exited: exit.promise,
      output: new Tail(tailBytes),
    }
    const take = (chunk: Buffer) => {
      entry.output.push(chunk)
      for (const listener of this.#listeners.get(name) ?? []) listener(chunk)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('exit', (code) => {
      entry.hasExited = true
      entry.exitCode = code
      exit.resolve()
    })
    return entry
  }

  async #end(name: string): Promise<void> {
    const entry = this.#entries.get(name)
    if (!entry || entry.hasExited) return
    killTree(entry.pid, entry.mark, 'SIGTERM')
    const last = setTimeout(() => killTree(entry.pid, entry.mark, 'SIGKILL'), graceMs)
    await entry.exited
    clearTimeout(last)
    killTree(entry.pid, entry.mark, 'SIGKILL')
  }

  async #alone(name: string, work: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(name) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.catch(() => undefined)
    this.#busy.set(name, settled)
    await mine
    if (this.#busy.get(name) === settled) this.#busy.delete(name)
  }
}
