import { Duplex } from 'node:stream'

const headerBytes = 8
const maxFrameBytes = 64 * 1024 * 1024
const maxKeptErrorBytes = 4_096

/**
 * A hijacked `exec` as a plain stream: what is written goes in as it is, what comes out is cut from the engine's frames
 * (kind, three zero bytes, u32 length). Standard error is not part of the stream; its beginning explains an early end.
 */
export class HijackedExec extends Duplex {
  readonly #socket: Duplex
  #pending: Buffer = Buffer.alloc(0)
  #left = 0
  #isError = false
  #said = ''

  constructor(socket: Duplex) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#end())
    socket.on('error', (error) => this.destroy(error))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #take(chunk: Buffer): void {
    let bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk
    this.#pending = Buffer.alloc(0)
    while (bytes.length > 0) {
      if (this.#left === 0) {
        if (bytes.length < headerBytes) {
          this.#pending = bytes
          return
        }
        const kind = bytes[0]!
        this.#left = bytes.readUInt32BE(4)
        this.#isError = kind === 2
        if (kind > 2 || this.#left > maxFrameBytes) {
          this.destroy(new Error('The engine sent a frame that makes no sense'))
          return
        }
        bytes = bytes.subarray(headerBytes)
        continue
      }
      const piece = bytes.subarray(0, this.#left)
      this.#left -= piece.length
      bytes = bytes.subarray(piece.length)
      if (this.#isError) this.#said = (this.#said + piece.toString('utf8')).slice(0, maxKeptErrorBytes)
      else if (!this.push(piece)) this.#socket.pause()
    }
  }

  #end(): void {
    if (this.readableEnded || this.destroyed) return
    if (this.#said) this.destroy(new Error(`The bridge ended: ${this.#said.trim()}`))
    else this.push(null)
  }
}
