import type { Duplex } from 'node:stream'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import type { LogQuery, SandboxLimits } from '@guildhall/protocol/sandbox.ts'

/** What a slot is made of: fixed when it is made, since labels and owners cannot change later. */
export type SlotSpec = {
  slotId: SlotId
  /** The user that owns the volume and runs everything inside; one per slot. */
  uid: number
  limits: SandboxLimits
  image: string
  volumeName: string
}

/** What the engine says of a slot. `absent`: its volume is there, its container is not. */
export type SlotTruth = {
  slotId: SlotId
  state: 'running' | 'stopped' | 'absent'
  startedAt: Date | null
  exitCode: number | null
  wasOutOfMemory: boolean
}

export type Door = 'ctl' | 'egress'

/**
 * A container runtime. It makes, starts, stops and removes slots and opens byte streams to the supervisor in them; it
 * knows no files, no commands and no projects. Every method may be called twice and by several processes at once: the
 * second call finds the work done. Failures of the engine itself are `no_engine`.
 */
export interface SandboxDriver {
  readonly name: 'docker' | 'local'
  /** Whether code in a sandbox is kept from this machine. False must be said on every screen. */
  readonly isolated: boolean
  /** Throws `no_engine` with what is missing, in words for the person who runs this machine. */
  check(): Promise<void>
  hasImage(image: string): Promise<boolean>
  /** Which engine this is, and of what build: what was found true of sandboxes holds for this one alone. */
  identity(): Promise<string>
  /** Volume, its owner, and the container, not started. A container that exists stays as it is. */
  create(spec: SlotSpec): Promise<void>
  start(slotId: SlotId): Promise<void>
  /** Asks the supervisor to end, then insists. The volume stays. */
  stop(slotId: SlotId): Promise<void>
  /** Removes the container and keeps the volume: the next `create` makes a new one around the same files. */
  removeContainer(slotId: SlotId): Promise<void>
  /** Removes container and volume. */
  remove(slotId: SlotId): Promise<void>
  /** A fresh stream to one of the supervisor's sockets. Whoever opened it destroys it. */
  openBridge(slotId: SlotId, door: Door): Promise<Duplex>
  /** Where the volume is, in the eyes of the supervisor. */
  rootOf(slotId: SlotId): string
  /** Null when nothing of the slot exists. */
  inspect(slotId: SlotId): Promise<SlotTruth | null>
  /** Every slot of this installation that the engine knows of, also those without a row. */
  list(): Promise<SlotTruth[]>
  /** Removes leftovers of the driver's own helpers, after a crash. */
  tidy(): Promise<void>
  /** The newest lines that the container itself wrote; `local` keeps no times and one file for both streams. */
  logs(slotId: SlotId, query: LogQuery): Promise<string[]>
  /** Calls back when something may have changed behind our back. */
  onChange(listener: () => void): () => void
  close(): Promise<void>
}
