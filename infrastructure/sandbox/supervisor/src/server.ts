import http2 from 'node:http2'
import net from 'node:net'
import { Answer } from './answer.ts'
import { calls, type World } from './calls.ts'
import { Arguments } from './check.ts'
import { Failure, readFrames } from './wire.ts'

/** The control door: HTTP/2 on a unix socket. `onSessions` hears how many bridges are open. */
export function createControlServer(world: World, onSessions: (count: number) => void): http2.Http2Server {
  const server = http2.createServer({
    settings: { maxConcurrentStreams: 1_000, initialWindowSize: 1 << 20 },
    maxSessionMemory: 256,
    // The platform ends a call as soon as it has its answer, often before the stream is closed from both sides. HTTP/2
    // counts that as a reset and by default ends the whole session after 1,000 of them at more than 33 a second: a
    // defence of servers against strangers, while this door opens to the platform alone.
    streamResetBurst: 1_000_000,
    streamResetRate: 1_000_000,
  })
  let sessions = 0
  server.on('session', (session) => {
    session.setLocalWindowSize(16 << 20)
    onSessions(++sessions)
    session.on('close', () => onSessions(--sessions))
    // A broken bridge is ordinary; its streams notice by themselves.
    session.on('error', () => session.destroy())
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy())
    if (headers[':method'] === 'CONNECT') dial(stream, headers[':authority'] ?? '')
    else void serve(world, stream, headers[':path'] ?? '')
  })
  return server
}

async function serve(world: World, stream: http2.ServerHttp2Stream, path: string): Promise<void> {
  const answer = new Answer(stream)
  const frames = readFrames(stream)
  try {
    const call = Object.hasOwn(calls, path.slice(1)) ? calls[path.slice(1)] : undefined
    if (!call) throw new Failure('not_found', `There is no call ${path}`)
    const first = await frames.next()
    if (first.done || first.value.kind !== 'C') throw new Failure('bad_request', 'A call begins with its arguments')
    const result = await call(world, new Arguments(first.value.payload), answer, frames)
    if (result !== undefined) answer.end(result)
  } catch (error) {
    answer.fail(error)
  }
}

/** A port inside, as raw bytes. Servers told to listen on `localhost` may have only ::1. */
function dial(stream: http2.ServerHttp2Stream, authority: string): void {
  const port = Number(authority.split(':').at(-1))
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    stream.respond({ ':status': 400 }, { endStream: true })
    return
  }
  const tryHost = (host: string, onRefused: (error: NodeJS.ErrnoException) => void) => {
    const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true })
    socket.once('error', onRefused)
    socket.once('connect', () => {
      socket.off('error', onRefused)
      socket.on('error', () => stream.destroy())
      socket.on('close', () => stream.end())
      stream.on('close', () => socket.destroy())
      if (stream.destroyed) return void socket.destroy()
      stream.respond({ ':status': 200 })
      stream.pipe(socket)
      socket.pipe(stream)
    })
  }
  tryHost('127.0.0.1', () =>
    tryHost('::1', () => {
      if (!stream.destroyed) stream.respond({ ':status': 502 }, { endStream: true })
    }),
  )
}
