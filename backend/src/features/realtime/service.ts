import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Topic } from '@guildhall/protocol/events.ts'
import type { MessageId, RunId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { WebSocketServer } from 'ws'
import type { Database } from '../../platform/db/database.ts'
import { listEvents, topicHead, topicHeads } from '../../platform/events/events.ts'
import type { OwnOrigins } from '../../platform/http/origins.ts'
import type { Log } from '../../platform/log.ts'
import type { PubSub } from '../../platform/pubsub/pubsub.ts'
import { closeCode, Connection, type Desk, heartbeatMs } from './connection.ts'
import { createDeltas } from './deltas.ts'
import { Feed, type Reader } from './feed.ts'
import type { TerminalDoor } from './terminals.ts'

export type { AttachedTerminal, TerminalDoor } from './terminals.ts'

type Person = Actor & { kind: 'user' }

const doorbell = 'realtime.topics'
const maxPayloadBytes = 1024 * 1024
const maxSocketsPerPerson = 64
const sweepMs = 2_000

/** What features push by themselves. Events need no call: the log rings. */
export interface Hub {
  /** A piece of text of a message that is being written; the finished message is an event. */
  delta(topic: Topic, piece: { messageId: MessageId; runId: RunId; role: Role; text: string }): void
  /** The message is stored, or will never be. */
  deltaEnd(messageId: MessageId): void
}

/**
 * `/ws`. Every process has one: it rings the others when its own transactions wrote events, and serves the sockets
 * that were opened with it. Closing it closes the sockets.
 */
export function createHub({
  db,
  pubsub,
  signIn,
  actorOf,
  authorizeTopic,
  terminals,
  log,
}: {
  db: Database
  pubsub: PubSub
  /** Takes the ticket of the first frame. */
  signIn: (ticket: string) => Promise<Person | null>
  /** Reads the bearer header of a client without an Origin. */
  actorOf: (accessToken: string) => Promise<Person | null>
  authorizeTopic: Desk['authorizeTopic']
  terminals: TerminalDoor
  log: Log
}) {
  const feeds = new Map<Topic, Promise<Feed>>()
  const connections = new Set<Connection>()
  const server = new WebSocketServer({ noServer: true, maxPayload: maxPayloadBytes, perMessageDeflate: false })

  const deltas = createDeltas({
    pubsub,
    onDelta: (topic, frame) => {
      const text = JSON.stringify(frame)
      for (const connection of connections) connection.sendDelta(topic, text)
    },
  })

  function ring(topics: Iterable<Topic>): void {
    for (const topic of topics) feeds.get(topic)?.then((feed) => feed.ring(), ignoreHere)
  }
  // A feed that could not be opened was already reported to the subscriber that wanted it.
  const ignoreHere = () => undefined

  const stopListening = db.onEvents((topics) => {
    ring(topics)
    void pubsub.publish(doorbell, topics.join(' '))
  })
  const stopDoorbell = pubsub.subscribe(doorbell, (topics) => ring(topics.split(' ') as Topic[]))

  /** A lost ring must not lose an event: what is open is compared with the log every two seconds. */
  const sweep = setInterval(() => {
    if (feeds.size === 0) return
    db.system((tx) => topicHeads(tx, [...feeds.keys()])).then(
      async (heads) => {
        for (const [topic, head] of heads) {
          const feed = await feeds.get(topic)
          if (feed && feed.head < head) feed.ring()
        }
      },
      (error: unknown) => log.warn({ err: error }, 'the log could not be compared'),
    )
  }, sweepMs)
  const heartbeat = setInterval(() => {
    for (const connection of connections) connection.beat()
  }, heartbeatMs)

  function open(topic: Topic): Promise<Feed> {
    const feed = db
      .system((tx) => topicHead(tx, topic))
      .then((head) => {
        const read = (of: Topic, after: number, limit: number) => db.system((tx) => listEvents(tx, of, after, limit))
        return new Feed({ topic, head, read, log })
      })
    feeds.set(topic, feed)
    feed.catch(() => feeds.delete(topic))
    return feed
  }

  async function join(topic: Topic, makeReader: (start: { head: number }) => Reader): Promise<() => void> {
    for (;;) {
      const opening = feeds.get(topic) ?? open(topic)
      const feed = await opening
      // The client may have read further than this feed has pumped: the log's own head counts.
      const head = Math.max(feed.head, await db.system((tx) => topicHead(tx, topic)))
      if (feeds.get(topic) !== opening) continue
      const reader = makeReader({ head })
      feed.add(reader)
      feed.ring()
      return () => {
        feed.remove(reader)
        if (feed.isEmpty && feeds.get(topic) === opening) feeds.delete(topic)
      }
    }
  }

  const desk: Desk = {
    signIn,
    authorizeTopic,
    terminals,
    join,
    snapshots: deltas.snapshots,
    signedIn(connection) {
      const userId = connection.actor?.userId
      const others = [...connections].filter(({ actor }) => actor?.userId === userId)
      if (others.length > maxSocketsPerPerson) connection.close(closeCode.tooManySockets, 'too many connections')
    },
    log,
  }

  function refuse(socket: Duplex, status: '401 Unauthorized' | '403 Forbidden'): void {
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
  }

  async function accept(request: IncomingMessage, socket: Duplex, head: Buffer, origins: OwnOrigins): Promise<void> {
    const { origin, authorization } = request.headers
    if (origin !== undefined && !origins.has(origin)) return refuse(socket, '403 Forbidden')
    let person: Person | null = null
    if (origin === undefined && authorization !== undefined) {
      person = await actorOf(authorization.replace(/^bearer /i, ''))
      if (!person) return refuse(socket, '401 Unauthorized')
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, desk)
      connections.add(connection)
      webSocket.on('close', () => connections.delete(connection))
      if (person) {
        connection.welcome(person).catch((error: unknown) => {
          log.error({ err: error }, 'a socket could not be welcomed')
          connection.close(1011, 'try again')
        })
      }
    })
  }

  const hub = {
    delta: deltas.delta,
    deltaEnd: deltas.end,
    /** Takes the HTTP upgrade of `/ws`. Another site's page is refused before there is a socket. */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, origins: OwnOrigins): void {
      socket.on('error', (error) => log.debug({ err: error }, 'a socket failed'))
      accept(request, socket, head, origins).catch((error: unknown) => {
        log.error({ err: error }, 'an upgrade failed')
        socket.destroy()
      })
    },
    openSockets: () => connections.size,
    async close(): Promise<void> {
      clearInterval(sweep)
      clearInterval(heartbeat)
      stopListening()
      stopDoorbell()
      deltas.close()
      for (const connection of connections) connection.close(1001, 'the server stops')
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return hub satisfies Hub
}
export type RealtimeService = ReturnType<typeof createHub>
