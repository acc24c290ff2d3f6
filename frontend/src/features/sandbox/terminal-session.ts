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
  screen: Screen
  onState(state: TerminalState): void
  storage?: Storage
}

const maxTypedAhead = 4_096

/**
 * One terminal over the page's socket. Its id is kept for this browser tab, so that after a reload or a cut the same
 * shell is attached again and its last output replayed.
 */
export function createTerminalSession({
  socket,
  projectId,
  screen,
  onState,
  storage = sessionStorage,
}: SessionOptions) {
  const key = `guildhall.terminal.${projectId}`
  let channel: number | null = null
  let ref = ''
  let count = 0
  /** Bytes can come before their channel is known to be ours. */
  let early: [number, Uint8Array][] = []
  /** Typed while the shell is still being opened: sent as soon as it stands, as a terminal does. */
  let typedAhead = ''
  let isOver = false

  const open = () => {
    channel = null
    isOver = false
    early = []
    ref = `${key}.${(count += 1)}`
    onState({ kind: 'connecting' })
    const known = storage.getItem(key)
    socket.send({
      op: 'terminal.open',
      ref,
      projectId: projectId as never,
      ...(known !== null && { terminalId: known as never }),
      ...screen.size(),
    })
  }

  const fresh = () => {
    storage.removeItem(key)
    screen.reset()
    open()
  }

  const onFrame = (frame: ServerFrame) => {
    if (frame.op === 'welcome') open()
    else if (frame.op === 'terminal.opened' && frame.ref === ref) {
      channel = frame.channel
      storage.setItem(key, frame.terminalId)
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
      storage.removeItem(key)
      onState({ kind: 'exited', exitCode: frame.exitCode })
    } else if (frame.op === 'error' && frame.ref === ref) {
      const isGone = frame.problem.code === 'not_found' || frame.problem.code === 'gone'
      if (isGone && storage.getItem(key) !== null) fresh()
      else onState({ kind: 'failed', message: frame.problem.detail ?? frame.problem.title })
    }
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
      stopFrames()
      stopBytes()
      if (channel !== null) socket.send({ op: 'terminal.close', channel })
    },
  }
}
export type TerminalSession = ReturnType<typeof createTerminalSession>
