import type { Actor } from '@guildhall/protocol/actor.ts'
import { type Event, Topic } from '@guildhall/protocol/events.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { ClientFrame, type ServerFrame } from '@guildhall/protocol/realtime.ts'
import type { RawData, WebSocket } from 'ws'
import { AppError, invalid } from '../../platform/errors.ts'
import { asAppError, asProblem } from '../../platform/http/problem.ts'
import type { Log } from '../../platform/log.ts'
import type { Reader } from './feed.ts'
import { TerminalChannels, type TerminalDoor } from './terminals.ts'

type Person = Actor & { kind: 'user' }

/** What one connection asks of the hub. */
export interface Desk {
  signIn(ticket: string): Promise<Person | null>
  authorizeTopic(actor: Person, topic: string, right: 'read' | 'work'): Promise<void>
  terminals: TerminalDoor
  /** Adds a reader that wants everything after `after` (or from now on); answers the way out. */
  join(topic: Topic, makeReader: (start: { head: number }) => Reader): Promise<() => void>
  snapshots(topic: Topic): (ServerFrame & { op: 'delta' })[]
  signedIn(connection: Connection): void
  log: Log
}

export const heartbeatMs = 25_000
export const closeCode = { unauthenticated: 4401, revoked: 4403, tooManyErrors: 4400, tooManySockets: 4429 } as const

const helloTimeoutMs = 5_000
const maxErrors = 20
const maxWaitingFrames = 200
const maxBehind = 5_000
const slowAboveBytes = 4 * 1024 * 1024
const drainedBelowBytes = 256 * 1024
/** After these, whoever reads a project may have lost the right to. */
const rightsChange = new Set<Event['type']>(['member.removed', 'member.changed', 'project.deleted'])

/** An event goes out to many sockets; it is turned into text once. */
const frames = new WeakMap<Event, string>()
function frameOf(event: Event): string {
  let text = frames.get(event)
  if (text === undefined) {
    text = JSON.stringify({ op: 'event', event } satisfies ServerFrame)
    frames.set(event, text)
  }
  return text
}

/** One socket from hello to close. */
export class Connection {
  private readonly socket: WebSocket
  private readonly desk: Desk
  private readonly leaveTopic = new Map<Topic, () => void>()
  /** Readers nobody subscribed to: they watch for the end of the session and of rights behind open terminals. */
  private readonly leaveWatch = new Map<Topic, () => void>()
  private readonly terminals: TerminalChannels
  private readonly helloTimer: NodeJS.Timeout
  private person: Person | null = null
  private errors = 0
  private waiting = 0
  private work: Promise<void> = Promise.resolve()
  private missedPongs = 0

  constructor(socket: WebSocket, desk: Desk) {
    this.socket = socket
    this.desk = desk
    this.terminals = new TerminalChannels({
      sendBytes: (bytes) => this.isOpen && socket.send(bytes),
      sendExit: (channel, exitCode) => this.send({ op: 'terminal.exited', channel, exitCode }),
      isSlow: () => this.isSlow,
    })
    this.helloTimer = setTimeout(() => socket.close(closeCode.unauthenticated, 'no hello in time'), helloTimeoutMs)
    socket.on('message', (data, isBinary) => this.receive(data, isBinary))
    socket.on('pong', () => (this.missedPongs = 0))
    socket.on('error', (error) => desk.log.debug({ err: error }, 'a socket failed'))
    socket.on('close', () => this.leave())
  }

  get actor(): Person | null {
    return this.person
  }
  private get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN
  }
  private get isSlow(): boolean {
    return this.socket.bufferedAmount > slowAboveBytes
  }

  send(frame: ServerFrame): void {
    if (this.isOpen) this.socket.send(JSON.stringify(frame))
  }

  /** A delta is only worth sending in time; a slow reader gets the whole text with its reset. */
  sendDelta(topic: Topic, text: string): void {
    if (this.isOpen && this.leaveTopic.has(topic) && !this.isSlow) this.socket.send(text)
  }

  /** Called every `heartbeatMs`; two beats without an answer mean nobody is there. */
  beat(): void {
    if (this.missedPongs >= 2) this.socket.terminate()
    else if (this.isOpen) {
      this.missedPongs++
      this.socket.ping()
    }
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason)
    // One that does not answer the closing handshake is dropped.
    setTimeout(() => this.socket.terminate(), 2_000).unref()
  }

  /** The person is known: by ticket or, where there is no Origin, by a bearer header. */
  async welcome(person: Person): Promise<void> {
    clearTimeout(this.helloTimer)
    this.person = person
    await this.watch(`user:${person.userId}`, (event) => {
      if (event.type === 'session.revoked' && event.data.sessionId === person.sessionId) {
        this.close(closeCode.revoked, 'the session has ended')
      }
    })
    this.desk.signedIn(this)
    this.send({ op: 'welcome', heartbeatMs })
  }

  private receive(data: RawData, isBinary: boolean): void {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
    if (isBinary) {
      if (!this.terminals.input(bytes)) this.refuse(new AppError('not_found', 'There is no such channel'))
      return
    }
    if (++this.waiting > maxWaitingFrames) {
      this.close(closeCode.tooManyErrors, 'too many frames at once')
      return
    }
    // In order: an unsubscribe must not pass the subscribe before it.
    this.work = this.work.then(async () => {
      this.waiting--
      if (this.isOpen) await this.handle(bytes.toString('utf8'))
    })
  }

  private async handle(text: string): Promise<void> {
    let ref: string | undefined
    try {
      const parsed = ClientFrame.safeParse(JSON.parse(text))
      if (!parsed.success) {
        const fields = Object.fromEntries(parsed.error.issues.map(({ path, message }) => [path.join('.'), message]))
        throw invalid('This frame is not known', fields)
      }
      const frame = parsed.data
      if ('ref' in frame) ref = frame.ref
      await this.answer(frame)
    } catch (error) {
      this.refuse(error instanceof SyntaxError ? invalid('This frame is not JSON') : error, ref)
    }
  }

  private async answer(frame: ClientFrame): Promise<void> {
    if (frame.op === 'hello') return this.hello(frame.ticket)
    if (frame.op === 'ping') return this.send({ op: 'pong' })
    const person = this.person
    if (!person) throw new AppError('unauthenticated', 'The first frame must be hello')
    if (frame.op === 'subscribe') return this.subscribe(person, asTopic(frame.topic), frame.after)
    if (frame.op === 'unsubscribe') return this.unsubscribe(asTopic(frame.topic))
    if (frame.op === 'terminal.open') return this.openTerminal(person, frame)
    const isKnown =
      frame.op === 'terminal.resize'
        ? this.terminals.resize(frame.channel, frame.cols, frame.rows)
        : await this.terminals.close(frame.channel, frame.kill)
    if (!isKnown) throw new AppError('not_found', 'There is no such channel')
  }

  private async hello(ticket: string): Promise<void> {
    if (this.person) throw invalid('hello comes once')
    const person = await this.desk.signIn(ticket)
    if (!person) return this.close(closeCode.unauthenticated, 'the ticket was used or is too old')
    await this.welcome(person)
  }

  private async subscribe(person: Person, topic: Topic, after: number | undefined): Promise<void> {
    await this.desk.authorizeTopic(person, topic, 'read')
    this.unsubscribe(topic)
    const leave = await this.desk.join(topic, ({ head }) => {
      this.send({ op: 'subscribed', topic, head })
      const isTooFar = after !== undefined && (head - after > maxBehind || after > head)
      if (isTooFar) this.send({ op: 'reset', topic, head })
      return this.reader(topic, isTooFar ? head : (after ?? head), (event) => {
        this.socket.send(frameOf(event))
        if (rightsChange.has(event.type)) void this.recheck(topic)
      })
    })
    if (!this.isOpen) return leave()
    this.leaveTopic.set(topic, leave)
    for (const frame of this.desk.snapshots(topic)) this.send(frame)
  }

  private unsubscribe(topic: Topic): void {
    this.leaveTopic.get(topic)?.()
    this.leaveTopic.delete(topic)
  }

  private reader(topic: Topic, cursor: number, take: (event: Event) => void): Reader {
    return {
      cursor,
      give: (event) => {
        if (this.isOpen) take(event)
      },
      isSlow: () => this.isSlow,
      drained: async () => {
        while (this.isOpen && this.socket.bufferedAmount > drainedBelowBytes) {
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      },
      reset: (head) => {
        this.send({ op: 'reset', topic, head })
        for (const frame of this.desk.snapshots(topic)) this.send(frame)
      },
    }
  }

  /** Reads a topic for the house's own sake; nothing of it is sent. */
  private async watch(topic: Topic, look: (event: Event) => void): Promise<void> {
    if (this.leaveWatch.has(topic)) return
    const leave = await this.desk.join(topic, ({ head }) => ({
      ...this.reader(topic, head, look),
      isSlow: () => false,
    }))
    if (this.isOpen) this.leaveWatch.set(topic, leave)
    else leave()
  }

  private async recheck(topic: Topic): Promise<void> {
    if (!this.person || !this.leaveTopic.has(topic)) return
    if (await this.mayStill(this.person, topic, 'read')) return
    this.unsubscribe(topic)
    this.send({ op: 'revoked', topic })
  }

  /** Fails closed: a right that cannot be looked up is taken for lost. */
  private async mayStill(person: Person, topic: Topic, right: 'read' | 'work'): Promise<boolean> {
    try {
      await this.desk.authorizeTopic(person, topic, right)
      return true
    } catch (error) {
      if (!(error instanceof AppError)) this.desk.log.error({ err: error }, 'rights could not be looked up')
      return false
    }
  }

  private async openTerminal(person: Person, frame: ClientFrame & { op: 'terminal.open' }): Promise<void> {
    if (this.terminals.isFull) throw new AppError('conflict', 'Too many terminals on this connection; close one')
    const { op: _op, ref, ...wanted } = frame
    const { projectId } = wanted
    const topic: Topic = `project:${projectId}`
    const terminal = await this.desk.terminals.open(person, wanted)
    if (!this.isOpen) return terminal.detach()
    this.terminals.attach(projectId, terminal, (channel) => {
      const { terminalId, replay } = terminal
      this.send({ op: 'terminal.opened', ref, terminalId, channel, replayedBytes: replay.length })
    })
    await this.watch(topic, (event) => {
      if (rightsChange.has(event.type)) void this.recheckTerminals(person, topic, projectId)
    })
    // The right may have ended between the door and the watch.
    await this.recheckTerminals(person, topic, projectId)
  }

  private async recheckTerminals(person: Person, topic: Topic, projectId: ProjectId): Promise<void> {
    if (!this.terminals.projects.has(projectId)) return
    if (!(await this.mayStill(person, topic, 'work'))) await this.terminals.closeProject(projectId)
  }

  private refuse(error: unknown, ref?: string): void {
    const known = asAppError(error)
    if (known.code === 'internal') this.desk.log.error({ err: error }, 'a frame could not be answered')
    this.send({ op: 'error', problem: asProblem(known), ...(ref !== undefined && { ref }) })
    if (++this.errors >= maxErrors) this.close(closeCode.tooManyErrors, 'too many errors')
  }

  private leave(): void {
    clearTimeout(this.helloTimer)
    for (const leave of [...this.leaveTopic.values(), ...this.leaveWatch.values()]) leave()
    this.leaveTopic.clear()
    this.leaveWatch.clear()
    this.terminals.closeAll()
  }
}

function asTopic(text: string): Topic {
  if (!Topic.safeParse(text).success) throw invalid('There is no such topic', { topic: 'is not known' })
  return text as Topic
}
