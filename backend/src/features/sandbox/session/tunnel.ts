import type { ClientHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'

/**
 * One stream of the bridge in the shape HTTP clients expect of a socket: half-open like TCP, with the few methods they
 * call on every connection. Backpressure is that of the stream below.
 */
export class TunnelSocket extends Duplex {
  readonly #stream: ClientHttp2Stream
  #isWanted = false

  constructor(stream: ClientHttp2Stream) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 })
    this.#stream = stream
    stream.on('readable', () => this.#pass())
    stream.on('end', () => this.push(null))
    stream.on('close', () => {
      // A stream that closes before its end was cut, and a cut must not look like the end of the answer.
      if (!stream.readableEnded) this.destroy(new Error('The connection into the sandbox was cut'))
      else if (this.readableEnded) this.destroy()
      else this.once('end', () => this.destroy())
    })
  }

  override _read(): void {
    this.#isWanted = true
    this.#pass()
  }

  #pass(): void {
    while (this.#isWanted) {
      const chunk = this.#stream.read() as Buffer | null
      if (chunk === null) return
      this.#isWanted = this.push(chunk)
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#stream.destroyed) return done(new Error('The connection into the sandbox is closed'))
    this.#stream.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#stream.destroyed) return done()
    this.#stream.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#stream.destroyed) this.#stream.close(error ? 8 : 0)
    done(error)
  }

  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  setTimeout(ms: number, callback?: () => void): this {
    this.#stream.setTimeout(ms, () => {
      callback?.()
      this.emit('timeout')
    })
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
}
