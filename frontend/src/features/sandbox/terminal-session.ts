import type { ServerFrame } from '@guildhall/protocol/realtime.ts'
import type { Socket } from '../../lib/socket.ts'

export type TerminalState =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'exited'; exitCode: number | null }
  | { kind: 'failed'; message: string }

export interface Screen {
  write(bytes: Uint8Array): void
  reset(): void
  size(): { cols: number; rows: number }
}

interface SessionOptions {
  socket: Socket
  projectId: string
  /** Whose work tree a new shell starts in. */
  branch: string
  /** The shell to attach to; null starts a new one. */
  terminalId: string | null
  screen: Screen
  onState(state: TerminalState): void
  /** Which shell this is now; null once it has ended. Whoever keeps it can come back to it. */
  onShell(terminalId: string | null): void
}

const maxTypedAhead = 4_096

let sessions = 0

/**
 * One terminal over the page's socket. After a reload or a cut the same shell is attached again and its last output
 * replayed.
 */
export function createTerminalSession(options: SessionOptions) {
  const { socket, projectId, branch, screen, onState, onShell } = options
  const name = `terminal.${(sessions += 1)}`
  let known = options.terminalId
  let channel: number | null = null
  let ref = ''
  let count = 0
  /** Bytes can come before their channel is known to be ours. */
  let early: [number, Uint8Array][] = []
  /** Typed while the shell is still being opened: sent as soon as it stands, as a terminal does. */
  let typedAhead = ''
  let isOver = false
  let isKilled = false

  const become = (terminalId: string | null) => {
    known = terminalId
    onShell(terminalId)
  }
  const open = () => {
    channel = null
    isOver = false
    early = []
    ref = `${name}.${(count += 1)}`
    onState({ kind: 'connecting' })
    socket.send({
      op: 'terminal.open',
      ref,
      projectId: projectId as never,
      branch,
      ...(known !== null && { terminalId: known as never }),
      ...screen.size(),
    })
  }

  const fresh = () => {
    become(null)
    screen.reset()
    open()
  }

  const onFrame = (frame: ServerFrame) => {
    if (frame.op === 'welcome') {
      if (isKilled) detach()
      else open()
    } else if (frame.op === 'terminal.opened' && frame.ref === ref) {
      channel = frame.channel
      if (isKilled) return end()
      become(frame.terminalId)
      screen.reset()
      onState({ kind: 'open' })
      for (const [from, bytes] of early) if (from === channel) screen.write(bytes)
      early = []
      const { cols, rows } = screen.size()
      socket.send({ op: 'terminal.resize', channel, cols, rows })
      if (typedAhead) socket.sendBytes(channel, new TextEncoder().encode(typedAhead))
      typedAhead = ''
    } else if (frame.op === 'terminal.exited' && frame.channel === channel) {
      channel = null
      isOver = true
      become(null)
      onState({ kind: 'exited', exitCode: frame.exitCode })
    } else if (frame.op === 'error' && frame.ref === ref) {
      const isGone = frame.problem.code === 'not_found' || frame.problem.code === 'gone'
      if (isKilled) detach()
      else if (isGone && known !== null) fresh()
      else onState({ kind: 'failed', message: frame.problem.detail ?? frame.problem.title })
    }
  }

  const detach = () => {
    stopFrames()
    stopBytes()
  }
  /** Ends the shell, and with it this. */
  const end = () => {
    detach()
    if (channel !== null) socket.send({ op: 'terminal.close', channel, kill: true })
  }
  const stopFrames = socket.onFrame(onFrame)
  const stopBytes = socket.onBytes((from, bytes) => {
    if (from === channel) screen.write(bytes)
    else if (channel === null) early.push([from, bytes])
  })
  if (socket.status() === 'open') open()
  else onState({ kind: 'connecting' })

  return {
    type(text: string) {
      if (channel !== null) socket.sendBytes(channel, new TextEncoder().encode(text))
      else if (!isOver && typedAhead.length < maxTypedAhead) typedAhead += text
    },
    resize(cols: number, rows: number) {
      if (channel !== null) socket.send({ op: 'terminal.resize', channel, cols, rows })
    },
    /** Tries again after a failure, or starts a new shell after the old one ended. */
    again: fresh,
    /** Detaches; the shell lives on. */
    close() {
      if (isKilled) return
      detach()
      if (channel !== null) socket.send({ op: 'terminal.close', channel })
    },
    /** Ends the shell and what runs in it; one that is still being opened ends as soon as it stands. */
    kill() {
      isKilled = true
      if (channel !== null || isOver || socket.status() !== 'open') end()
    },
  }
}
export type TerminalSession = ReturnType<typeof createTerminalSession>
