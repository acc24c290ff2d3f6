import { Duplex } from 'node:stream'

/** More than all flow-control windows together can hold; only a peer that lies about them gets here. */
const maxBufferedBytes = 256 * 1024 * 1024

/**
 * A bridge whose writes are always taken at once. Node's HTTP/2 sessions stop reading while one of their writes waits for
 * the socket; with bulk in both directions both ends wait for each other for ever (seen: an 8 MB echo stopped at 1.6 MB).
 * One end that never waits breaks the circle. What it holds is bounded by HTTP/2's own flow control.
 */
export class ElasticBridge extends Duplex {
  readonly #bridge: Duplex

  constructor(bridge: Duplex) {
    super({ allowHalfOpen: true })
    this.#bridge = bridge
    bridge.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) bridge.pause()
    })
    bridge.on('end', () => this.push(null))
    bridge.on('error', (error) => this.destroy(error))
    bridge.on('close', () => this.destroy())
  }

  override _read(): void {
    this.#bridge.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#bridge.destroyed) return done(new Error('The bridge is closed'))
    this.#bridge.write(chunk)
    done(this.#bridge.writableLength > maxBufferedBytes ? new Error('The other end of the bridge takes nothing') : null)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#bridge.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#bridge.destroy()
    done(error)
  }
}
