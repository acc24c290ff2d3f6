import { existsSync } from 'node:fs'
import pty, { type IPty } from '@lydell/node-pty'
import { checkFolder } from './exec.ts'
import { killTree, marked, newMark, offerToOutOfMemoryKiller, type Mark } from './kill.ts'
import { Tail } from './output.ts'
import { Failure, type PtyInfo } from './wire.ts'

const replayBytes = 256 * 1024
const maxTerminals = 32
const graceMs = 1_000
/** A terminal that has ended stays readable for those who come back to it. */
const keepExitedMs = 10 * 60_000

/** A reader of a terminal. `write` answers false when it is full; the terminal then pauses until `isFull` says no. */
export interface Reader {
  write(chunk: Buffer): void
  isFull(): boolean
  exited(code: number | null): void
}

type Terminal = {
  info: PtyInfo
  pty: IPty
  mark: Mark
  output: Tail
  readers: Set<Reader>
  exitCode: number | null
  isPaused: boolean
}

/** Interactive terminals. They outlive bridges; a reader that comes back says which byte it wants next. */
export class Terminals {
  readonly #baseEnv: Record<string, string>
  readonly #terminals = new Map<string, Terminal>()

  constructor(baseEnv: Record<string, string>) {
    this.#baseEnv = baseEnv
  }

  open(call: {
    id: string
    label: string
    argv: string[] | null
    cwd: string
    env: Record<string, string>
    cols: number
    rows: number
  }): PtyInfo {
    if (this.#terminals.has(call.id)) throw new Failure('conflict', 'There is a terminal of that id already')
    if (this.#terminals.size >= maxTerminals)
      throw new Failure('conflict', `${maxTerminals} terminals are open already`)
    checkFolder(call.cwd)
    const [file, ...rest] = call.argv ?? [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh']
    const mark = newMark()
    const env = marked({ ...this.#baseEnv, TERM: 'xterm-256color', COLORTERM: 'truecolor', ...call.env }, mark)
    const { cols, rows, cwd } = call
    const child = pty.spawn(file!, rest, { name: 'xterm-256color', cols, rows, cwd, env, encoding: null })
    offerToOutOfMemoryKiller(child.pid)
    const terminal: Terminal = {
      info: { id: call.id, label: call.label, cols, rows, createdAt: new Date().toISOString(), exited: false },
      pty: child,
      mark,
      output: new Tail(replayBytes),
      readers: new Set(),
      exitCode: null,
      isPaused: false,
    }
    // With `encoding: null` the chunks are Buffers, whatever the declared type says.
    child.onData((data: unknown) => this.#take(terminal, data as Buffer))
    child.onExit(({ exitCode }) => this.#exit(terminal, exitCode))
    this.#terminals.set(call.id, terminal)
    return terminal.info
  }

  list(): PtyInfo[] {
    return [...this.#terminals.values()].map(({ info }) => info)
  }

  /** `after`: the first byte wanted. Answers what is still held from there on; later bytes go to `reader`. */
  attach(id: string, after: number, reader: Reader): { start: number; bytes: Buffer; detach: () => void } {
    const terminal = this.#find(id)
    const { start, bytes } = terminal.output.from(after)
    terminal.readers.add(reader)
    if (terminal.info.exited) queueMicrotask(() => reader.exited(terminal.exitCode))
    return {
      start,
      bytes,
      detach: () => {
        terminal.readers.delete(reader)
        this.settle(id)
      },
    }
  }

  /** Lets a paused terminal go on when nobody who reads it is full any more. */
  settle(id: string): void {
    const terminal = this.#terminals.get(id)
    if (!terminal?.isPaused || [...terminal.readers].some((reader) => reader.isFull())) return
    terminal.isPaused = false
    if (!terminal.info.exited) terminal.pty.resume()
  }

  write(id: string, bytes: Buffer): void {
    const terminal = this.#find(id)
    // The declared type says string; bytes pass unchanged, and keys need not be UTF-8.
    if (!terminal.info.exited) terminal.pty.write(bytes as unknown as string)
  }

  resize(id: string, cols: number, rows: number): void {
    const terminal = this.#find(id)
    if (terminal.info.exited) return
    terminal.pty.resize(cols, rows)
    terminal.info.cols = cols
    terminal.info.rows = rows
  }

  kill(id: string): void {
    const terminal = this.#terminals.get(id)
    if (!terminal) return
    if (terminal.info.exited) {
      this.#terminals.delete(id)
      return
    }
    killTree(terminal.pty.pid, terminal.mark, 'SIGHUP')
    setTimeout(() => killTree(terminal.pty.pid, terminal.mark, 'SIGKILL'), graceMs).unref()
  }

  signalAll(signal: NodeJS.Signals): void {
    for (const { info, pty, mark } of this.#terminals.values()) if (!info.exited) killTree(pty.pid, mark, signal)
  }

  #take(terminal: Terminal, chunk: Buffer): void {
    terminal.output.push(chunk)
    for (const reader of terminal.readers) reader.write(chunk)
    if (!terminal.isPaused && [...terminal.readers].some((reader) => reader.isFull())) {
      terminal.isPaused = true
      terminal.pty.pause()
    }
  }

  #exit(terminal: Terminal, code: number): void {
    terminal.info.exited = true
    terminal.exitCode = code
    for (const reader of terminal.readers) reader.exited(code)
    setTimeout(() => this.#terminals.delete(terminal.info.id), keepExitedMs).unref()
  }

  #find(id: string): Terminal {
    const terminal = this.#terminals.get(id)
    if (!terminal) throw new Failure('not_found', 'That terminal does not exist any more')
    return terminal
  }
}
