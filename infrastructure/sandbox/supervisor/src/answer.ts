import type { ServerHttp2Stream } from 'node:http2'
import { encodeData, encodeJson, Failure, type FrameKind } from './wire.ts'

/** The answering side of one call. Writes after the peer has gone are dropped. */
export class Answer {
  readonly stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream
    stream.respond({ ':status': 200 })
  }

  get isOpen(): boolean {
    return !this.stream.destroyed && this.stream.writable
  }

  /** False when the peer should be given time; a closed stream never asks for that. */
  data(kind: FrameKind, bytes: Buffer): boolean {
    let hasRoom = true
    for (const frame of encodeData(kind, bytes)) if (this.isOpen) hasRoom = this.stream.write(frame)
    return hasRoom || !this.isOpen
  }

  /** Until there is room again, or nobody to make room for. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.stream.off('drain', go)
        this.stream.off('close', go)
        resolve()
      }
      this.stream.on('drain', go)
      this.stream.on('close', go)
    })
  }

  json(kind: FrameKind, value: unknown): void {
    if (this.isOpen) this.stream.write(encodeJson(kind, value))
  }

  end(result: unknown): void {
    if (this.isOpen) this.stream.end(encodeJson('X', result))
  }

  fail(error: unknown): void {
    const known = error instanceof Failure
    const detail = error instanceof Error ? error.message : String(error)
    if (!known) process.stderr.write(`${error instanceof Error ? error.stack : detail}\n`)
    if (this.isOpen) this.stream.end(encodeJson('F', { code: known ? error.code : 'internal', detail }))
  }
}
