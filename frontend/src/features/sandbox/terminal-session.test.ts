import type { ServerFrame } from '@guildhall/protocol/realtime.ts'
import { beforeEach, expect, test } from 'vitest'
import type { Socket } from '../../lib/socket.ts'
import { id } from '../../testing/log.ts'
import { createTerminalSession, type TerminalState } from './terminal-session.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytesOf = (words: string) => new TextEncoder().encode(words)

/** Which shell the page keeps for its next visit. */
let kept: string | null = null

/** A socket that is open, the frames it was given, and a hand to answer with. */
function page() {
  const sent: Record<string, unknown>[] = []
  let onFrame: (frame: ServerFrame) => void = () => undefined
  let onBytes: (channel: number, bytes: Uint8Array) => void = () => undefined
  const socket = {
    status: () => 'open',
    send: (frame: Record<string, unknown>) => sent.push(frame),
    sendBytes: (channel: number, bytes: Uint8Array) => sent.push({ channel, text: text(bytes) }),
    onFrame: (listener: typeof onFrame) => ((onFrame = listener), () => undefined),
    onBytes: (listener: typeof onBytes) => ((onBytes = listener), () => undefined),
  } as unknown as Socket
  let screen = ''
  const states: TerminalState[] = []
  const session = createTerminalSession({
    socket,
    projectId: id(1),
    branch: 'main',
    terminalId: kept,
    onShell: (terminalId) => (kept = terminalId),
    onState: (state) => states.push(state),
    screen: {
      write: (bytes) => (screen += text(bytes)),
      reset: () => (screen = ''),
      size: () => ({ cols: 80, rows: 24 }),
    },
  })
  const opened = (terminal: number, channel: number) =>
    onFrame({
      op: 'terminal.opened',
      ref: String(sent.findLast(({ op }) => op === 'terminal.open')!.ref),
      terminalId: id(terminal),
      channel,
      replayedBytes: 0,
    })
  return {
    session,
    sent,
    opened,
    answer: (frame: ServerFrame) => onFrame(frame),
    bytes: (channel: number, words: string) => onBytes(channel, bytesOf(words)),
    screen: () => screen,
    state: () => states.at(-1)!,
    asked: () => sent.filter(({ op }) => op === 'terminal.open').map(({ terminalId }) => terminalId),
  }
}

beforeEach(() => {
  kept = null
})

test('a reload and a cut attach to the same shell and show its replay once', () => {
  const first = page()
  first.opened(5, 1)
  first.bytes(1, '$ ls')
  first.session.type('pwd\n')
  expect(first.sent.at(-1)).toEqual({ channel: 1, text: 'pwd\n' })

  const reloaded = page()
  reloaded.opened(5, 1)
  reloaded.bytes(1, '$ ls\n$ pwd')
  reloaded.answer({ op: 'welcome', heartbeatMs: 1_000 })
  reloaded.opened(5, 3)
  reloaded.bytes(3, '$ ls\n$ pwd')
  expect([first.asked(), reloaded.asked(), reloaded.screen()]).toEqual([[undefined], [id(5), id(5)], '$ ls\n$ pwd'])
})

test('bytes of another terminal are not shown', () => {
  const { opened, bytes, screen } = page()
  bytes(9, 'early, another')
  opened(5, 1)
  bytes(9, 'another')
  bytes(1, 'mine')
  expect(screen()).toBe('mine')
})

test('a shell that is gone is replaced by a new one, once', () => {
  kept = id(5)
  const { sent, answer, asked, state } = page()
  const refused = () =>
    answer({
      op: 'error',
      ref: String(sent.at(-1)!.ref),
      problem: { type: 'about:blank', title: 'Gone', status: 404, code: 'not_found', detail: 'No such terminal' },
    })
  refused()
  expect(asked()).toEqual([id(5), undefined])
  refused()
  expect([asked().length, state()]).toEqual([2, { kind: 'failed', message: 'No such terminal' }])
})

test('a shell that ended says so, and a new one can be opened', () => {
  const { opened, answer, session, state, asked } = page()
  opened(5, 1)
  answer({ op: 'terminal.exited', channel: 1, exitCode: 3 })
  expect(state()).toEqual({ kind: 'exited', exitCode: 3 })
  session.again()
  expect([state(), asked()]).toEqual([{ kind: 'connecting' }, [undefined, undefined]])
})

test('what is typed while the shell opens reaches it, and nothing typed at a shell that ended', () => {
  const { session, opened, answer, sent } = page()
  session.type('ls')
  session.type('\n')
  opened(5, 1)
  expect(sent.at(-1)).toEqual({ channel: 1, text: 'ls\n' })
  answer({ op: 'terminal.exited', channel: 1, exitCode: 0 })
  session.type('lost')
  session.again()
  opened(6, 2)
  expect(sent.filter((frame) => 'text' in frame)).toEqual([{ channel: 1, text: 'ls\n' }])
})

test('closing for good ends the shell; one still being opened ends as soon as it stands', () => {
  const open = page()
  open.opened(5, 1)
  open.session.kill()
  expect(open.sent.at(-1)).toEqual({ op: 'terminal.close', channel: 1, kill: true })

  kept = null
  const early = page()
  early.session.kill()
  early.session.close()
  expect(early.sent.map(({ op }) => op)).toEqual(['terminal.open'])
  early.opened(6, 2)
  expect(early.sent.at(-1)).toEqual({ op: 'terminal.close', channel: 2, kill: true })
  expect(kept).toBeNull()
})
