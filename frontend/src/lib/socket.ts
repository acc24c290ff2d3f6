import { type ClientFrame, ServerFrame } from '@guildhall/protocol/realtime.ts'
import type { Event } from '@guildhall/protocol/events.ts'
import type { z } from 'zod'

export type SocketStatus = 'closed' | 'connecting' | 'open' | 'waiting'
export type Delta = Extract<ServerFrame, { op: 'delta' }>

/** What a reader of a topic brings. `after` is asked at every (re)subscription, so that nothing is missed or doubled. */
export interface TopicReader {
  /** Newest seq already read; undefined = from now on. */
  after(): number | undefined
  onEvent(event: Event): void
  onDelta?(delta: Delta): void
  /** Too much was missed: fetch anew. The topic is subscribed again when the promise settles. */
  onReset?(head: number): Promise<void> | void
  onRevoked?(): void
}

export interface SocketOptions {
  url: () => string
  /** A single-use ticket for the first frame. */
  ticket: () => Promise<string>
  open?: (url: string) => WebSocket
  random?: () => number
}

type Outgoing = z.input<typeof ClientFrame>

const FIRST_WAIT_MS = 400
const LONGEST_WAIT_MS = 15_000

/** Waits double from 0.4 s to 15 s, each shortened by up to half, so that a thousand pages do not return at once. */
export const backOffMs = (attempt: number, random: () => number): number =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (1 - random() / 2)

/**
 * The one WebSocket of the page: says hello with a ticket, subscribes what readers want, beats, and after a cut comes
 * back and resumes every topic after the last seq its reader saw.
 */
export function createSocket({
  url,
  ticket,
  open = (address) => new WebSocket(address),
  random = Math.random,
}: SocketOptions) {
  let socket: WebSocket | null = null
  let status: SocketStatus = 'closed'
  let wanted = false
  let attempt = 0
  let welcomes = 0
  let generation = 0
  let retry: ReturnType<typeof setTimeout> | undefined
  let beat: ReturnType<typeof setInterval> | undefined
  let heardAt = 0
  const readers = new Map<string, Set<TopicReader>>()
  const statusListeners = new Set<() => void>()
  const frameListeners = new Set<(frame: ServerFrame) => void>()
  const byteListeners = new Set<(channel: number, bytes: Uint8Array) => void>()

  const become = (next: SocketStatus) => {
    if (status === next) return
    status = next
    for (const listener of statusListeners) listener()
  }

  const send = (frame: Outgoing): boolean => {
    if (status !== 'open' || !socket) return false
    socket.send(JSON.stringify(frame))
    return true
  }

  /** The oldest of the readers' positions; each reader drops what it knows already. */
  const subscribeTopic = (topic: string) => {
    const positions = [...(readers.get(topic) ?? [])].map((reader) => reader.after())
    if (positions.length === 0) return
    const known = positions.filter((position) => position !== undefined)
    send({ op: 'subscribe', topic, ...(known.length > 0 && { after: Math.min(...known) }) })
  }

  const reset = async (topic: string, head: number) => {
    const mine = generation
    await Promise.allSettled([...(readers.get(topic) ?? [])].map((reader) => reader.onReset?.(head)))
    if (mine === generation) subscribeTopic(topic)
  }

  const receive = (frame: ServerFrame) => {
    if (frame.op === 'welcome') {
      attempt = 0
      welcomes += 1
      become('open')
      clearInterval(beat)
      beat = setInterval(() => {
        if (Date.now() - heardAt > frame.heartbeatMs * 2.5) socket?.close(4000, 'silent')
        else send({ op: 'ping' })
      }, frame.heartbeatMs)
      for (const topic of readers.keys()) subscribeTopic(topic)
    } else if (frame.op === 'event') {
      for (const reader of readers.get(frame.event.topic) ?? []) reader.onEvent(frame.event)
    } else if (frame.op === 'delta') {
      for (const reader of readers.get(frame.topic) ?? []) reader.onDelta?.(frame)
    } else if (frame.op === 'reset') {
      void reset(frame.topic, frame.head)
    } else if (frame.op === 'revoked') {
      for (const reader of readers.get(frame.topic) ?? []) reader.onRevoked?.()
    }
    for (const listener of frameListeners) listener(frame)
  }

  const onMessage = (event: MessageEvent<unknown>) => {
    heardAt = Date.now()
    if (event.data instanceof ArrayBuffer) {
      const channel = new DataView(event.data).getUint32(0)
      for (const listener of byteListeners) listener(channel, new Uint8Array(event.data, 4))
      return
    }
    const parsed = ServerFrame.safeParse(JSON.parse(String(event.data)))
    // A frame this page does not know comes from a newer server; the log's gap check fetches what mattered.
    if (parsed.success) receive(parsed.data)
  }

  const comeBack = () => {
    clearInterval(beat)
    socket = null
    generation += 1
    if (!wanted) return become('closed')
    become('waiting')
    clearTimeout(retry)
    retry = setTimeout(connect, backOffMs(attempt, random))
    attempt += 1
  }

  function connect() {
    clearTimeout(retry)
    generation += 1
    const mine = generation
    become('connecting')
    ticket().then(
      (value) => {
        if (mine !== generation) return
        const next = open(url())
        next.binaryType = 'arraybuffer'
        socket = next
        heardAt = Date.now()
        next.onopen = () => next.send(JSON.stringify({ op: 'hello', ticket: value } satisfies Outgoing))
        next.onmessage = (event) => mine === generation && onMessage(event)
        next.onclose = () => mine === generation && comeBack()
      },
      () => mine === generation && comeBack(),
    )
  }

  const listen = <T>(set: Set<T>, listener: T) => {
    set.add(listener)
    return () => void set.delete(listener)
  }

  return {
    status: () => status,
    /** How often a connection was made: more than once means there was a cut. */
    welcomes: () => welcomes,
    onStatus: (listener: () => void) => listen(statusListeners, listener),
    onFrame: (listener: (frame: ServerFrame) => void) => listen(frameListeners, listener),
    onBytes: (listener: (channel: number, bytes: Uint8Array) => void) => listen(byteListeners, listener),
    /** Answers false while there is no connection; nothing is queued, since what matters is resumed by seq. */
    send,
    sendBytes(channel: number, bytes: Uint8Array): boolean {
      if (status !== 'open' || !socket) return false
      const frame = new Uint8Array(bytes.length + 4)
      new DataView(frame.buffer).setUint32(0, channel)
      frame.set(bytes, 4)
      socket.send(frame)
      return true
    },
    subscribe(topic: string, reader: TopicReader): () => void {
      const set = readers.get(topic) ?? new Set()
      readers.set(topic, set.add(reader))
      if (status === 'open') subscribeTopic(topic)
      return () => {
        set.delete(reader)
        if (set.size > 0 || readers.get(topic) !== set) return
        readers.delete(topic)
        send({ op: 'unsubscribe', topic })
      }
    },
    start() {
      if (wanted) return
      wanted = true
      attempt = 0
      connect()
    },
    /** Tries at once instead of waiting, when the browser says the network is back. */
    nudge() {
      if (wanted && status === 'waiting') {
        attempt = 0
        connect()
      }
    },
    stop() {
      wanted = false
      clearTimeout(retry)
      const closing = socket
      comeBack()
      closing?.close(1000)
    },
  }
}

export type Socket = ReturnType<typeof createSocket>
