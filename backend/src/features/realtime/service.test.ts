import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Event } from '@guildhall/protocol/events.ts'
import type { ProjectId, SessionId, TerminalId } from '@guildhall/protocol/ids.ts'
import type { ServerFrame } from '@guildhall/protocol/realtime.ts'
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Database } from '../../platform/db/database.ts'
import { AppError } from '../../platform/errors.ts'
import { appendEvent, projectTopic, userTopic } from '../../platform/events/events.ts'
import { createOwnOrigins } from '../../platform/http/origins.ts'
import { newId } from '../../platform/ids.ts'
import { createLog } from '../../platform/log.ts'
import { createPubSub, type PubSub } from '../../platform/pubsub/pubsub.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { createHub, type RealtimeService, type TerminalDoor } from './service.ts'

type Person = Actor & { kind: 'user' }
type FrameOf<Op extends ServerFrame['op']> = ServerFrame & { op: Op }
const house = { kind: 'system' } as const
const log = createLog({ level: 'silent' })

const killed: string[] = []

/** A terminal that answers what is typed, in capitals. */
const echo: TerminalDoor = {
  async open(_actor, { terminalId = newId<TerminalId>() }) {
    let say: (bytes: Buffer) => void = () => undefined
    return {
      terminalId,
      replay: Buffer.from('before'),
      write: (bytes) => say(Buffer.from(bytes.toString().toUpperCase())),
      resize: () => undefined,
      kill: async () => void killed.push(terminalId),
      detach: () => undefined,
      onData: (listener) => void (say = listener),
      onExit: () => undefined,
    }
  },
}

let database: TestDatabase
let db: Database
let pubsub: PubSub
let hub: RealtimeService
let server: Server
let port: number
let people: Map<string, Person>
let banned: Set<string>
const sockets: WebSocket[] = []

beforeAll(async () => {
  database = await freshDatabase()
  db = database.db
})
afterAll(() => database.close())

beforeEach(async () => {
  people = new Map()
  banned = new Set()
  pubsub = createPubSub({ redisUrl: null, log })
  hub = createHub({
    db,
    pubsub,
    signIn: async (ticket) => people.get(ticket) ?? null,
    actorOf: async (token) => people.get(token) ?? null,
    async authorizeTopic(actor, topic) {
      if (topic.startsWith('user:') && topic !== userTopic(actor.userId)) throw new AppError('forbidden', 'not yours')
      if (banned.has(topic)) throw new AppError('not_found', 'gone')
    },
    terminals: echo,
    log,
  })
  server = createServer()
  const origins = createOwnOrigins({ publicUrl: null, port: () => port })
  server.on('upgrade', (request, socket, head) => hub.upgrade(request, socket, head, origins))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  await hub.close()
  await pubsub.close()
  await new Promise((resolve) => server.close(resolve))
})

/** A socket with everything it was sent, and a way to wait for what is to come. */
function connect(headers: Record<string, string> = { origin: `http://localhost:${port}` }) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers })
  sockets.push(socket)
  const frames: ServerFrame[] = []
  const bytes: Buffer[] = []
  let closed: number | null = null
  let refused: number | null = null
  socket.on('message', (data, isBinary) => {
    if (isBinary) bytes.push(data as Buffer)
    else frames.push(JSON.parse((data as Buffer).toString()) as ServerFrame)
  })
  socket.on('close', (code) => (closed = code))
  socket.on('unexpected-response', (_request, response) => (refused = response.statusCode ?? 0))
  socket.on('error', () => undefined)
  const opened = new Promise<void>((resolve) => socket.on('open', resolve))
  const of = <Op extends ServerFrame['op']>(op: Op) => frames.filter((frame): frame is FrameOf<Op> => frame.op === op)
  return {
    socket,
    frames,
    bytes,
    of,
    opened,
    closed: () => closed,
    refused: () => refused,
    events: () => of('event').map(({ event }) => event as Event),
    send: (frame: unknown) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    until: (op: ServerFrame['op'], count = 1, timeout = 5_000) =>
      expect.poll(() => of(op).length, { timeout, interval: 5 }).toBeGreaterThanOrEqual(count),
  }
}

async function signedIn(person?: Person) {
  const actor = person ?? (await freshUser(db))
  const ticket = randomBytes(8).toString('hex')
  people.set(ticket, actor)
  const client = connect()
  await client.opened
  client.send({ op: 'hello', ticket })
  await client.until('welcome')
  people.delete(ticket)
  return { ...client, actor }
}

/** Facts with a number to tell them apart. */
const say = (projectId: ProjectId, target: string) =>
  db.system((tx) =>
    appendEvent(tx, projectTopic(projectId), {
      type: 'egress.refused',
      actor: house,
      data: { target, reason: 'test', allow: null },
    }),
  )

describe('at the door', () => {
  test('a foreign page, a look-alike and null are refused before there is a socket', async () => {
    const origins = ['https://evil.example', 'null', `http://localhost:${port}.evil.example`, 'http://localhost:1']
    const clients = origins.map((origin) => connect({ origin }))
    for (const client of clients) await expect.poll(client.refused).toBe(403)
  })

  test('a client without an Origin may bring a bearer header', async () => {
    people.set('token', await freshUser(db))
    const client = connect({ authorization: 'Bearer token' })
    await client.until('welcome')
    const bad = connect({ authorization: 'Bearer nonsense' })
    await expect.poll(bad.refused).toBe(401)
  })

  test('a ticket that is unknown or was used closes the socket', async () => {
    const client = connect()
    await client.opened
    client.send({ op: 'hello', ticket: 'never issued' })
    await expect.poll(client.closed).toBe(4401)
  })

  test('nothing but hello is answered before hello', async () => {
    const client = connect()
    await client.opened
    client.send({ op: 'subscribe', topic: projectTopic(newId()) })
    await client.until('error')
    expect(client.of('error')[0]!.problem.code).toBe('unauthenticated')
  })

  test('malformed frames get errors, the socket stays, and the twentieth closes it', async () => {
    const client = await signedIn()
    for (const frame of ['{', '[]', '{"op":"drop tables"}', '{"op":"subscribe"}', 'null']) client.send(frame)
    await client.until('error', 5)
    client.send({ op: 'ping' })
    await client.until('pong')
    for (let n = 0; n < 15; n++) client.send('{')
    await expect.poll(client.closed).toBe(4400)
  })
})

describe('a topic', () => {
  test('live and resumed readers see every event once and in order, while writers race', async () => {
    const reader = await signedIn()
    const projectId = await freshProject(db, reader.actor)
    const topic = projectTopic(projectId)
    reader.send({ op: 'subscribe', topic })
    await reader.until('subscribed')
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; n < 50; n++) await say(projectId, `${writer}:${n}`)
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    const late = await signedIn()
    late.send({ op: 'subscribe', topic, after: 0 })
    await Promise.all(writers)
    const after = await signedIn()
    after.send({ op: 'subscribe', topic, after: 120 })
    await reader.until('event', 200)
    await late.until('event', 200)
    await after.until('event', 80)
    const upTo = (from: number) => Array.from({ length: 200 - from }, (_, n) => from + n + 1)
    expect(reader.events().map(({ seq }) => seq)).toEqual(upTo(0))
    expect(late.events().map(({ seq }) => seq)).toEqual(upTo(0))
    expect(after.events().map(({ seq }) => seq)).toEqual(upTo(120))
  })

  test('no event crosses to another project or person', async () => {
    const [one, other] = [await signedIn(), await signedIn()]
    const [first, second] = [await freshProject(db, one.actor), await freshProject(db, other.actor)]
    one.send({ op: 'subscribe', topic: projectTopic(first) })
    other.send({ op: 'subscribe', topic: projectTopic(second) })
    other.send({ op: 'subscribe', topic: userTopic(one.actor.userId) })
    await Promise.all([one.until('subscribed'), other.until('subscribed'), other.until('error')])
    await say(first, 'mine')
    await say(second, 'yours')
    await Promise.all([one.until('event'), other.until('event')])
    expect(one.events().map(({ data }) => data)).toEqual([{ target: 'mine', reason: 'test', allow: null }])
    expect(other.events().map(({ data }) => data)).toEqual([{ target: 'yours', reason: 'test', allow: null }])
  })

  test('a reader that missed too much, or comes from another log, is told to fetch anew', async () => {
    const reader = await signedIn()
    const projectId = await freshProject(db, reader.actor)
    const topic = projectTopic(projectId)
    await say(projectId, 'one')
    reader.send({ op: 'subscribe', topic, after: 9_999 })
    await reader.until('reset')
    expect(reader.of('reset')[0]).toMatchObject({ head: 1 })
    await say(projectId, 'two')
    await reader.until('event')
    expect(reader.events().map(({ seq }) => seq)).toEqual([2])
  })

  test('rolled-back writes are never seen, and unsubscribing ends it', async () => {
    const reader = await signedIn()
    const projectId = await freshProject(db, reader.actor)
    const topic = projectTopic(projectId)
    reader.send({ op: 'subscribe', topic })
    await reader.until('subscribed')
    const rolledBack = db.system(async (tx) => {
      const data = { target: 'never', reason: 'test', allow: null }
      await appendEvent(tx, topic, { type: 'egress.refused', actor: house, data })
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    await say(projectId, 'seen')
    await reader.until('event')
    reader.send({ op: 'unsubscribe', topic })
    reader.send({ op: 'ping' })
    await reader.until('pong')
    await say(projectId, 'not seen')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(reader.events().map(({ seq, data }) => [seq, (data as { target: string }).target])).toEqual([[1, 'seen']])
  })

  test('another process that writes is heard through its bell', async () => {
    const reader = await signedIn()
    const projectId = await freshProject(db, reader.actor)
    const topic = projectTopic(projectId)
    reader.send({ op: 'subscribe', topic })
    await reader.until('subscribed')
    const { createDatabase } = await import('../../platform/db/database.ts')
    const elsewhere = createDatabase({ appUrl: database.appUrl, systemUrl: database.systemUrl })
    try {
      await elsewhere.system((tx) =>
        appendEvent(tx, topic, {
          type: 'egress.refused',
          actor: house,
          data: { target: 'far', reason: 'test', allow: null },
        }),
      )
    } finally {
      await elsewhere.close()
    }
    // Nobody rang: the sweep notices.
    await reader.until('event', 1, 4_000)
  })

  test('a slow reader is reset and never stalls another', async () => {
    const [slow, quick] = [await signedIn(), await signedIn()]
    const projectId = await freshProject(db, slow.actor)
    const topic = projectTopic(projectId)
    slow.send({ op: 'subscribe', topic })
    quick.send({ op: 'subscribe', topic })
    await Promise.all([slow.until('subscribed'), quick.until('subscribed')])
    slow.socket.pause()
    const big = 'x'.repeat(100_000)
    for (let n = 0; n < 120; n++) await say(projectId, `${n} ${big}`)
    const began = Date.now()
    await quick.until('event', 120)
    expect(Date.now() - began).toBeLessThan(1_000)
    expect(slow.of('event').length).toBeLessThan(120)
    slow.socket.resume()
    await slow.until('reset')
    await say(projectId, 'last')
    await expect.poll(() => slow.events().at(-1)?.seq, { timeout: 5_000 }).toBe(121)
    expect(slow.of('reset')[0]).toMatchObject({ topic, head: 120 })
  })
})

describe('rights that end', () => {
  test('a revoked session closes its socket and no other', async () => {
    const person = await freshUser(db)
    const [one, other] = [await signedIn(person), await signedIn({ ...person, sessionId: newId<SessionId>() })]
    const { sessionId } = person
    await db.as(person, (tx) =>
      appendEvent(tx, userTopic(person.userId), { type: 'session.revoked', actor: person, data: { sessionId } }),
    )
    await expect.poll(one.closed).toBe(4403)
    other.send({ op: 'ping' })
    await other.until('pong')
  })

  test('a removed member loses topic and terminal, and what runs in it ends', async () => {
    const client = await signedIn()
    const projectId = await freshProject(db, client.actor)
    const topic = projectTopic(projectId)
    client.send({ op: 'subscribe', topic })
    client.send({ op: 'terminal.open', ref: 'a', projectId, cols: 80, rows: 24 })
    await client.until('terminal.opened')
    banned.add(topic)
    await db.system((tx) =>
      appendEvent(tx, topic, { type: 'member.removed', actor: house, data: { userId: client.actor.userId } }),
    )
    await client.until('revoked')
    await client.until('terminal.exited')
    expect(killed).toHaveLength(1)
    const seen = client.events().length
    await say(projectId, 'secret')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(client.events()).toHaveLength(seen)
  })
})

describe('streams', () => {
  test('deltas reach subscribers with their offsets; who comes later starts with the whole text', async () => {
    const early = await signedIn()
    const projectId = await freshProject(db, early.actor)
    const topic = projectTopic(projectId)
    early.send({ op: 'subscribe', topic })
    await early.until('subscribed')
    const about = { messageId: newId(), runId: newId(), role: 'engineer' } as never
    hub.delta(topic, { ...(about as object), text: 'Hello ' } as never)
    hub.delta(topic, { ...(about as object), text: 'wor' } as never)
    await early.until('delta', 2)
    const late = await signedIn()
    late.send({ op: 'subscribe', topic })
    await late.until('delta')
    hub.delta(topic, { ...(about as object), text: 'ld' } as never)
    await Promise.all([early.until('delta', 3), late.until('delta', 2)])
    const shown = (client: typeof early) => client.of('delta').map(({ offset, text }) => [offset, text])
    expect(shown(early)).toEqual([
      [0, 'Hello '],
      [6, 'wor'],
      [9, 'ld'],
    ])
    expect(shown(late)).toEqual([
      [0, 'Hello wor'],
      [9, 'ld'],
    ])
    hub.deltaEnd((about as { messageId: never }).messageId)
    const last = await signedIn()
    last.send({ op: 'subscribe', topic })
    await last.until('subscribed')
    last.send({ op: 'ping' })
    await last.until('pong')
    expect(last.of('delta')).toEqual([])
  })

  test('a terminal is a channel: replay first, then what it says; unknown channels are refused', async () => {
    const client = await signedIn()
    const projectId = await freshProject(db, client.actor)
    client.send({ op: 'terminal.open', ref: 'tab 1', projectId, cols: 80, rows: 24 })
    await client.until('terminal.opened')
    const opened = client.of('terminal.opened')[0]!
    expect(opened).toMatchObject({ ref: 'tab 1', channel: 1, replayedBytes: 6 })
    client.socket.send(Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from('ls\n')]))
    await expect.poll(() => client.bytes.map((frame) => frame.subarray(4).toString())).toEqual(['before', 'LS\n'])
    expect(client.bytes.every((frame) => frame.readUInt32BE(0) === 1)).toBe(true)
    client.socket.send(Buffer.from([0, 0, 0, 9, 1]))
    await client.until('error')
  })
})

test('closing the hub closes its sockets', async () => {
  const client = await signedIn()
  expect(hub.openSockets()).toBe(1)
  void hub.close()
  await expect.poll(client.closed).toBe(1001)
  await expect.poll(() => hub.openSockets()).toBe(0)
})
