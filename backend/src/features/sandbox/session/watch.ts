import type { ClientHttp2Stream } from 'node:http2'
import { frames, type Connection } from './connection.ts'

const retryMs = 500

/** Follows a named process over broken bridges; what was said while no bridge stood is only in its tail. */
export function watchProcess(connection: Connection, name: string, listener: (chunk: Buffer) => void): () => void {
  let isStopped = false
  let current: ClientHttp2Stream | null = null
  let timer: NodeJS.Timeout | undefined

  async function follow(): Promise<void> {
    try {
      const stream = await connection.open('process-watch', { name })
      current = stream
      if (isStopped) return stream.close()
      for await (const { kind, payload } of frames(stream)) if (kind === 'D') listener(Buffer.from(payload))
    } catch {
      // The bridge broke or the sandbox sleeps: the next attempt below is the answer to both.
    }
    if (!isStopped) timer = setTimeout(() => void follow(), retryMs).unref()
  }

  void follow()
  return () => {
    isStopped = true
    clearTimeout(timer)
    current?.close()
  }
}
