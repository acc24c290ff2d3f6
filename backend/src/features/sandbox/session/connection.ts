import http2 from 'node:http2'
import type { Duplex } from 'node:stream'
import { ProblemCode } from '@guildhall/protocol/problem.ts'
import { encodeJson, readFrames, type Frame } from '@guildhall/supervisor/wire.ts'
import type { z } from 'zod'
import { AppError } from '../../../platform/errors.ts'
import { ElasticBridge } from './elastic.ts'
import { Hello, Refusal } from './messages.ts'

const openTimeoutMs = 10_000
const pingEveryMs = 5_000
/** Generous: a busy machine is slow to answer, and a broken bridge ends what runs without a step. */
const pongWithinMs = 20_000

/** One bridge after another to the supervisor of one sandbox. */
export interface Connection {
  /** Opens the bridge when there is none, and answers when the supervisor did. Costs nothing while one stands. */
  ready(): Promise<void>
  /** A new call with its arguments sent. Opens the bridge when there is none; throws `unavailable` when it cannot. */
  open(name: string, args: unknown): Promise<http2.ClientHttp2Stream>
  /** A call with one JSON answer. Broken off after `timeoutMs`. */
  ask<Schema extends z.ZodType>(
    name: string,
    args: unknown,
    schema: Schema,
    timeoutMs?: number,
  ): Promise<z.infer<Schema>>
  /** A TCP connection to a port inside. */
  tunnel(port: number): Promise<http2.ClientHttp2Stream>
  close(): void
}

export function createConnection(openBridge: () => Promise<Duplex>): Connection {
  let current: Promise<http2.ClientHttp2Session> | null = null
  let isClosed = false
  /** Ends a connection attempt that is under way. */
  let giveUp: (() => void) | null = null

  async function connect(): Promise<http2.ClientHttp2Session> {
    const bridge = new ElasticBridge(await openBridge())
    const session = http2.connect('http://sandbox', {
      createConnection: () => bridge,
      settings: { enablePush: false, initialWindowSize: 1 << 20 },
      maxSessionMemory: 128,
    })
    giveUp = () => session.destroy()
    // Errors end the session, and each call in flight tells its own caller.
    session.on('error', () => session.destroy())
    session.on('close', () => bridge.destroy())
    bridge.on('error', () => session.destroy())
    bridge.on('close', () => session.destroy())
    try {
      await within(openTimeoutMs, established(session))
      session.setLocalWindowSize(16 << 20)
      // A wedged bridge looks like an idle one; without an answer to a ping it is given up.
      const beat = setInterval(() => {
        if (session.destroyed) return
        const late = setTimeout(() => session.destroy(), pongWithinMs)
        const isSent = session.ping((error) => {
          clearTimeout(late)
          if (error) session.destroy()
        })
        if (!isSent) clearTimeout(late)
      }, pingEveryMs)
      beat.unref()
      session.on('close', () => clearInterval(beat))
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }

  async function session(): Promise<http2.ClientHttp2Session> {
    if (isClosed) throw broken('The connection to the sandbox was closed')
    const mine = (current ??= connect())
    try {
      const ready = await mine
      if (!ready.destroyed && !ready.closed) return ready
    } catch (error) {
      if (current === mine) current = null
      throw error instanceof AppError ? error : broken('The sandbox does not answer', error)
    }
    if (current === mine) current = null
    return session()
  }

  async function request(headers: http2.OutgoingHttpHeaders): Promise<http2.ClientHttp2Stream> {
    const ready = await session()
    try {
      const stream = ready.request(headers)
      // The reader of the stream sees the failure; without a listener an early one would end the process.
      stream.on('error', () => stream.destroy())
      return stream
    } catch (error) {
      throw broken('The connection to the sandbox broke', error)
    }
  }

  async function open(name: string, args: unknown): Promise<http2.ClientHttp2Stream> {
    const stream = await request({ ':method': 'POST', ':path': `/${name}` })
    stream.write(encodeJson('C', args))
    return stream
  }

  return {
    async ready() {
      await session()
    },
    open,
    async ask(name, args, schema, timeoutMs = 30_000) {
      const stream = await open(name, args)
      const late = setTimeout(() => stream.destroy(new Error(`No answer to ${name} in ${timeoutMs} ms`)), timeoutMs)
      try {
        for await (const frame of frames(stream)) if (frame.kind === 'X') return parsed(schema, frame.payload)
        throw broken('The sandbox ended the call without an answer')
      } finally {
        clearTimeout(late)
        finish(stream)
      }
    },
    async tunnel(port) {
      const stream = await request({ ':method': 'CONNECT', ':authority': `127.0.0.1:${port}` })
      return new Promise((resolve, reject) => {
        const fail = (error?: unknown) => reject(broken(`Nothing answers on port ${port} of the sandbox`, error))
        stream.once('close', fail)
        stream.once('response', (headers) => {
          stream.off('close', fail)
          if (headers[':status'] === 200) return resolve(stream)
          stream.destroy()
          fail()
        })
      })
    },
    close() {
      isClosed = true
      giveUp?.()
      void current?.then(
        (session) => session.destroy(),
        () => undefined,
      )
    },
  }
}

/** Frames of an answer; a refusal inside becomes the AppError it stands for, a broken bridge `unavailable`. */
export async function* frames(stream: http2.ClientHttp2Stream): AsyncGenerator<Frame> {
  try {
    for await (const frame of readFrames(stream)) {
      if (frame.kind === 'F') throw refusal(frame.payload)
      yield frame
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw broken('The connection to the sandbox broke', error)
  }
}

/** Says that no more input comes, and reads no further. */
export function finish(stream: http2.ClientHttp2Stream): void {
  if (stream.destroyed) return
  stream.end()
  stream.close()
}

/** JSON of the sandbox, checked. What does not fit is the sandbox's fault and never a crash here. */
export function parsed<Schema extends z.ZodType>(schema: Schema, payload: Buffer): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(payload.toString('utf8')))
  } catch (error) {
    throw broken('The sandbox answered something that makes no sense', error)
  }
}

export const broken = (detail: string, cause?: unknown) => new AppError('unavailable', detail, { cause })

function refusal(payload: Buffer): AppError {
  const { code, detail } = parsed(Refusal, payload)
  const known = ProblemCode.safeParse(code)
  return new AppError(known.success && known.data !== 'internal' ? known.data : 'unavailable', detail)
}

async function established(session: http2.ClientHttp2Session): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve())
    session.once('close', () => reject(broken('The sandbox does not answer')))
  })
  const stream = session.request({ ':method': 'POST', ':path': '/hello' })
  stream.on('error', () => stream.destroy())
  stream.end(encodeJson('C', {}))
  for await (const frame of frames(stream)) if (frame.kind === 'X') parsed(Hello, frame.payload)
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(broken(`The sandbox does not answer within ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
