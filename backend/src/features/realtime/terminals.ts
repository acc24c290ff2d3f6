import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, TerminalId } from '@guildhall/protocol/ids.ts'

/** A terminal that someone is attached to. It outlives the attachment, until `kill` or its shell ends. */
export interface AttachedTerminal {
  terminalId: TerminalId
  /** The last output, up to 256 kB, from before the attachment. */
  replay: Buffer
  write(bytes: Buffer): void
  resize(cols: number, rows: number): void
  kill(): Promise<void>
  detach(): void
  onData(listener: (bytes: Buffer) => void): void
  onExit(listener: (exitCode: number | null) => void): void
}

/** What the socket needs of whoever runs terminals. Checks the actor's rights itself. */
export interface TerminalDoor {
  open(
    actor: Actor,
    wanted: { projectId: ProjectId; terminalId?: TerminalId; branch: string; cols: number; rows: number },
  ): Promise<AttachedTerminal>
}

const maxPerSocket = 16

/** One end of the socket, as terminals see it. */
export interface ChannelSocket {
  sendBytes(frame: Buffer): void
  sendExit(channel: number, exitCode: number | null): void
  isSlow(): boolean
}

interface Channel {
  projectId: ProjectId
  terminal: AttachedTerminal
  leftOutBytes: number
}

/** The terminals of one socket, as numbered channels: u32 big-endian, then bytes, both ways. */
export class TerminalChannels {
  private readonly socket: ChannelSocket
  private readonly channels = new Map<number, Channel>()
  private newest = 0

  constructor(socket: ChannelSocket) {
    this.socket = socket
  }

  get isFull(): boolean {
    return this.channels.size >= maxPerSocket
  }
  get projects(): Set<ProjectId> {
    return new Set([...this.channels.values()].map(({ projectId }) => projectId))
  }

  /** Gives the terminal a channel. Its replay and output flow once `opened` has told the client the number. */
  attach(projectId: ProjectId, terminal: AttachedTerminal, opened: (channel: number) => void): void {
    const number = ++this.newest
    const channel: Channel = { projectId, terminal, leftOutBytes: 0 }
    this.channels.set(number, channel)
    opened(number)
    if (terminal.replay.length > 0) this.socket.sendBytes(framed(number, terminal.replay))
    terminal.onData((bytes) => this.forward(number, channel, bytes))
    terminal.onExit((exitCode) => {
      if (this.channels.delete(number)) this.socket.sendExit(number, exitCode)
    })
  }

  /** Output never queues up without end: what a slow reader cannot take is left out, and the gap is shown. */
  private forward(number: number, channel: Channel, bytes: Buffer): void {
    if (!this.channels.has(number)) return
    if (this.socket.isSlow()) {
      channel.leftOutBytes += bytes.length
      return
    }
    if (channel.leftOutBytes > 0) {
      const note = `\r\n[${channel.leftOutBytes} bytes left out: the connection was too slow]\r\n`
      channel.leftOutBytes = 0
      this.socket.sendBytes(framed(number, Buffer.from(note)))
    }
    this.socket.sendBytes(framed(number, bytes))
  }

  /** False when the frame names no open channel. */
  input(frame: Buffer): boolean {
    if (frame.length < 4) return false
    const channel = this.channels.get(frame.readUInt32BE(0))
    channel?.terminal.write(frame.subarray(4))
    return channel !== undefined
  }

  resize(number: number, cols: number, rows: number): boolean {
    const channel = this.channels.get(number)
    channel?.terminal.resize(cols, rows)
    return channel !== undefined
  }

  async close(number: number, kill: boolean): Promise<boolean> {
    const channel = this.channels.get(number)
    if (!channel) return false
    this.channels.delete(number)
    channel.terminal.detach()
    if (kill) await channel.terminal.kill()
    return true
  }

  /** The right to work in a project ended: its terminals end too, with whatever still runs in them. */
  async closeProject(projectId: ProjectId): Promise<void> {
    const endings: Promise<void>[] = []
    for (const [number, channel] of this.channels) {
      if (channel.projectId !== projectId) continue
      this.channels.delete(number)
      channel.terminal.detach()
      this.socket.sendExit(number, null)
      endings.push(channel.terminal.kill())
    }
    // Where it cannot be told, the sandbox is gone, and its terminals with it.
    await Promise.allSettled(endings)
  }

  closeAll(): void {
    for (const { terminal } of this.channels.values()) terminal.detach()
    this.channels.clear()
  }
}

function framed(channel: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(channel)
  return Buffer.concat([head, bytes])
}
