import type { Event } from '@guildhall/protocol/events.ts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { logOf, message } from '../testing/log.ts'
import { backOffMs, createSocket, type SocketStatus } from './socket.ts'

const topic = 'project:test'
const welcome = { op: 'welcome', heartbeatMs: 1_000 }

/** The far end of a WebSocket: what the page sent, and a hand to answer with. */
class FarEnd {
  static all: FarEnd[] = []
  sent: unknown[] = []
  binaryType = ''
  onopen: (() => void) | null = null
  onclose: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null

  constructor() {
    FarEnd.all.push(this)
    queueMicrotask(() => this.onopen?.())
  }
  send(data: string | Uint8Array) {
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data)
  }
  close() {
    this.onclose?.()
  }
  answer(frame: unknown) {
    this.onmessage?.({ data: frame instanceof ArrayBuffer ? frame : JSON.stringify(frame) })
  }
}

const last = () => FarEnd.all.at(-1)!
const settle = () => vi.advanceTimersByTimeAsync(0)

function page() {
  let tickets = 0
  const socket = createSocket({
    url: () => 'ws://test/ws',
    ticket: async () => `ticket-number-${(tickets += 1)}`,
    open: () => new FarEnd() as unknown as WebSocket,
    random: () => 0,
  })
  const seen: number[] = []
  const statuses: SocketStatus[] = []
  socket.onStatus(() => statuses.push(socket.status()))
  const reader = {
    after: () => seen.at(-1) ?? 0,
    onEvent: (event: Event) => void seen.push(event.seq),
  }
  return { socket, seen, statuses, reader }
}

const events = logOf([1, 2, 3, 4].map((second) => [second, { type: 'message.sent', data: { message: message({}) } }]))
const frame = (n: number) => ({ op: 'event', event: events[n - 1] })

beforeEach(() => {
  vi.useFakeTimers()
  FarEnd.all = []
})
afterEach(() => vi.useRealTimers())

describe('the socket', () => {
  test('says hello with a ticket, then subscribes where the reader stands', async () => {
    const { socket, reader, statuses } = page()
    socket.subscribe(topic, reader)
    socket.start()
    await settle()
    last().answer(welcome)
    expect(last().sent).toEqual([
      { op: 'hello', ticket: 'ticket-number-1' },
      { op: 'subscribe', topic, after: 0 },
    ])
    expect(statuses).toEqual(['connecting', 'open'])
  })

  test('after a cut it returns with a new ticket and resumes after the last seq it saw', async () => {
    const { socket, reader, seen } = page()
    socket.subscribe(topic, reader)
    socket.start()
    await settle()
    last().answer(welcome)
    last().answer(frame(1))
    last().answer(frame(2))
    last().close()
    expect(socket.status()).toBe('waiting')
    await vi.advanceTimersByTimeAsync(400)
    last().answer(welcome)
    expect(last().sent).toEqual([
      { op: 'hello', ticket: 'ticket-number-2' },
      { op: 'subscribe', topic, after: 2 },
    ])
    last().answer(frame(3))
    expect(seen).toEqual([1, 2, 3])
  })

  test('a reset is followed by the reader’s refetch and a subscription from there', async () => {
    const { socket, seen } = page()
    socket.subscribe(topic, {
      after: () => seen.at(-1) ?? 0,
      onEvent: () => undefined,
      onReset: async (head) => void seen.push(head),
    })
    socket.start()
    await settle()
    last().answer(welcome)
    last().answer({ op: 'reset', topic, head: 40 })
    await settle()
    expect(last().sent.at(-1)).toEqual({ op: 'subscribe', topic, after: 40 })
  })

  test('silence for two and a half beats is taken for a cut', async () => {
    const { socket } = page()
    socket.start()
    await settle()
    last().answer(welcome)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(last().sent.slice(1)).toEqual([{ op: 'ping' }, { op: 'ping' }])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(socket.status()).toBe('waiting')
  })

  test('an old connection cannot speak after a new one was made', async () => {
    const { socket, reader, seen } = page()
    socket.subscribe(topic, reader)
    socket.start()
    await settle()
    const old = last()
    old.answer(welcome)
    old.close()
    await vi.advanceTimersByTimeAsync(400)
    old.answer(frame(1))
    expect(seen).toEqual([])
  })

  test('after stop it stays away, also when a ticket was under way', async () => {
    const { socket } = page()
    socket.start()
    socket.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect({ status: socket.status(), connections: FarEnd.all.length }).toEqual({ status: 'closed', connections: 0 })
  })

  test('terminal bytes carry their channel both ways', async () => {
    const { socket } = page()
    const heard: [number, string][] = []
    socket.onBytes((channel, bytes) => heard.push([channel, new TextDecoder().decode(bytes)]))
    socket.start()
    await settle()
    last().answer(welcome)
    last().answer(new Uint8Array([0, 0, 0, 7, 104, 105]).buffer)
    socket.sendBytes(7, new TextEncoder().encode('ls'))
    expect(heard).toEqual([[7, 'hi']])
    expect(last().sent.at(-1)).toEqual(new Uint8Array([0, 0, 0, 7, 108, 115]))
  })

  test('the waits double, are cut by up to half, and never pass fifteen seconds', () => {
    expect([0, 1, 2, 3, 9].map((attempt) => backOffMs(attempt, () => 0))).toEqual([400, 800, 1_600, 3_200, 15_000])
    expect(backOffMs(0, () => 1)).toBe(200)
  })

  test('a frame of a newer server is left alone', async () => {
    const { socket, reader, seen } = page()
    socket.subscribe(topic, reader)
    socket.start()
    await settle()
    last().answer(welcome)
    last().answer({ op: 'something.new', value: 1 })
    last().answer(frame(1))
    expect(seen).toEqual([1])
  })
})
