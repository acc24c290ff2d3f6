import type { Event, Topic } from '@guildhall/protocol/events.ts'
import type { Log } from '../../platform/log.ts'

/** Reads the log: up to `limit` events after `after`, oldest first. */
export type ReadLog = (topic: Topic, after: number, limit: number) => Promise<Event[]>

/** One reader of a topic. `cursor` is the last seq it was given. */
export interface Reader {
  cursor: number
  /** Hands one event over. */
  give(event: Event): void
  /** Too many bytes wait on the way to this reader. */
  isSlow(): boolean
  /** Resolves once they are gone; rejects never, and resolves too when the reader has left. */
  drained(): Promise<void>
  /** The reader is to fetch anew and goes on after `head`. */
  reset(head: number): void
}

const pageSize = 500

/**
 * One topic and its readers. Live and resume are the same path: a doorbell only says "look", what is sent is always
 * read from the log after a cursor, so nothing is missed, doubled or out of order. A slow reader is set aside and
 * never waits in the others' way.
 */
export class Feed {
  readonly topic: Topic
  private readonly read: ReadLog
  private readonly log: Log
  private readonly live = new Set<Reader>()
  private readonly all = new Set<Reader>()
  private cursor: number
  private pumping: Promise<void> | null = null
  private rung = false

  constructor({ topic, head, read, log }: { topic: Topic; head: number; read: ReadLog; log: Log }) {
    this.topic = topic
    this.cursor = head
    this.read = read
    this.log = log
  }

  get head(): number {
    return this.cursor
  }
  get isEmpty(): boolean {
    return this.all.size === 0
  }

  /** A reader that is behind catches up on its own and then joins the others. */
  add(reader: Reader): void {
    this.all.add(reader)
    void this.catchUp(reader)
  }

  remove(reader: Reader): void {
    this.all.delete(reader)
    this.live.delete(reader)
  }

  /** Something may be new. Rings while one is under way are one more look after it. */
  ring(): void {
    this.rung = true
    this.pumping ??= this.pump().finally(() => {
      this.pumping = null
      if (this.rung) this.ring()
    })
  }

  private async pump(): Promise<void> {
    while (this.rung) {
      this.rung = false
      const events = await this.readAfter(this.cursor)
      if (events.length === pageSize) this.rung = true
      for (const event of events) {
        this.cursor = event.seq
        for (const reader of this.live) this.giveLive(reader, event)
      }
    }
  }

  private giveLive(reader: Reader, event: Event): void {
    // While it caught up it may have read beyond what the others had.
    if (event.seq <= reader.cursor) return
    if (reader.isSlow()) {
      this.live.delete(reader)
      void this.setAside(reader)
      return
    }
    reader.cursor = event.seq
    reader.give(event)
  }

  private async setAside(reader: Reader): Promise<void> {
    await reader.drained()
    if (!this.all.has(reader)) return
    reader.cursor = this.cursor
    reader.reset(this.cursor)
    this.live.add(reader)
  }

  private async catchUp(reader: Reader): Promise<void> {
    while (this.all.has(reader)) {
      // No await between this comparison and joining, so no event can fall in between.
      if (reader.cursor >= this.cursor) {
        this.live.add(reader)
        return
      }
      const events = await this.readAfter(reader.cursor)
      if (events.length === 0) {
        // The log was cut (the project was deleted): there is nothing to catch up with.
        reader.cursor = this.cursor
      }
      for (const event of events) {
        if (!this.all.has(reader)) return
        reader.cursor = event.seq
        reader.give(event)
      }
      if (reader.isSlow()) await reader.drained()
    }
  }

  /** The database may be away for a while; whoever waits for it goes on when it is back. */
  private async readAfter(after: number): Promise<Event[]> {
    for (let tries = 0; !this.isEmpty; tries++) {
      try {
        return await this.read(this.topic, after, pageSize)
      } catch (error) {
        if (tries % 20 === 0) this.log.warn({ err: error, topic: this.topic }, 'the log cannot be read; trying again')
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
    return []
  }
}
