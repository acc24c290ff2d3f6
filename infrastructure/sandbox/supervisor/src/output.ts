/** Keeps the head and the tail of what passes, `limit` bytes in all; the middle is counted and left out. */
export class HeadAndTail {
  readonly #headLimit: number
  readonly #tailLimit: number
  readonly #head: Buffer[] = []
  #headBytes = 0
  #tail: Buffer[] = []
  #tailBytes = 0
  #droppedBytes = 0

  constructor(limit: number) {
    this.#headLimit = Math.ceil(limit / 2)
    this.#tailLimit = Math.floor(limit / 2)
  }

  get leftOutBytes(): number {
    return this.#droppedBytes + Math.max(0, this.#tailBytes - this.#tailLimit)
  }

  push(chunk: Buffer): void {
    let rest = chunk
    if (this.#headBytes < this.#headLimit) {
      const piece = rest.subarray(0, this.#headLimit - this.#headBytes)
      this.#head.push(piece)
      this.#headBytes += piece.length
      rest = rest.subarray(piece.length)
    }
    if (rest.length === 0) return
    this.#tail.push(rest)
    this.#tailBytes += rest.length
    // Whole chunks fall out at the front; a shift per chunk would be quadratic, so the list is cut at twice the limit.
    if (this.#tailBytes > 2 * this.#tailLimit + 65_536) this.#trim()
  }

  /** What was kept. Where the middle is missing a line says how much. */
  bytes(): Buffer {
    this.#trim()
    const mark = this.leftOutBytes > 0 ? [Buffer.from(`\n[… ${this.leftOutBytes} bytes left out …]\n`)] : []
    return Buffer.concat([...this.#head, ...mark, ...this.#tail])
  }

  #trim(): void {
    const surplus = this.#tailBytes - this.#tailLimit
    if (surplus <= 0) return
    const tail = Buffer.concat(this.#tail).subarray(surplus)
    this.#droppedBytes += surplus
    this.#tail = tail.length > 0 ? [Buffer.from(tail)] : []
    this.#tailBytes = tail.length
  }
}

/** The last `limit` bytes of an endless stream, with the offset of its end. */
export class Tail {
  readonly #limit: number
  #chunks: Buffer[] = []
  #bytes = 0
  /** Bytes seen since the beginning. */
  end = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.end += chunk.length
    if (this.#bytes > 2 * this.#limit) this.#trim()
  }

  /** What is still held from `offset` on; `start` is where it really begins. */
  from(offset: number): { start: number; bytes: Buffer } {
    this.#trim()
    const first = this.end - this.#bytes
    const start = Math.min(Math.max(first, offset), this.end)
    return { start, bytes: Buffer.concat(this.#chunks).subarray(start - first) }
  }

  #trim(): void {
    if (this.#bytes <= this.#limit) return
    const kept = Buffer.from(Buffer.concat(this.#chunks).subarray(this.#bytes - this.#limit))
    this.#chunks = [kept]
    this.#bytes = kept.length
  }
}
