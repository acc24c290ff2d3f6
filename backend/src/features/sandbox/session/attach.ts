import type { ClientHttp2Stream } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TerminalId } from '@guildhall/protocol/ids.ts'
import { encodeData, encodeJson } from '@guildhall/supervisor/wire.ts'
import { isAppError } from '../../../platform/errors.ts'
import type { AttachedTerminal } from '../../realtime/service.ts'
import { frames, parsed, type Connection } from './connection.ts'
import { Empty, PtyEnd, PtyStart } from './messages.ts'

const retryForMs = 30_000
const maxWaitingBytes = 64 * 1024
const maxEarlyBytes = 1024 * 1024

/**
 * Attaches to a terminal and stays attached over broken bridges: it remembers which byte comes next and goes on there.
 * Throws when the first attachment fails.
 */
export async function attachTerminal(connection: Connection, terminalId: TerminalId): Promise<AttachedTerminal> {
  let stream: ClientHttp2Stream | null = null
  let next = 0
  let hasAttached = false
  let isDetached = false
  /** Keys pressed while no bridge stood. (Those on their way at the very moment it broke are lost.) */
  const waiting: Buffer[] = []
  let onData: ((bytes: Buffer) => void) | null = null
  let onExit: ((exitCode: number | null) => void) | null = null
  /** What came before anybody listened. */
  const early: Buffer[] = []
  let ended: { exitCode: number | null } | null = null
  const replay = Promise.withResolvers<Buffer>()

  const deliver = (bytes: Buffer) => {
    if (onData) return onData(bytes)
    if (early.reduce((sum, { length }) => sum + length, 0) < maxEarlyBytes) early.push(bytes)
  }
  const end = (exitCode: number | null) => {
    ended ??= { exitCode }
    onExit?.(exitCode)
    onExit = null
  }
  const send = (frame: Buffer) => {
    if (stream && !stream.destroyed) stream.write(frame)
    else if (waiting.reduce((sum, { length }) => sum + length, 0) < maxWaitingBytes) waiting.push(frame)
  }

  /** One attachment, until its bridge breaks; true when the terminal itself has ended. */
  async function follow(isFirst: boolean): Promise<boolean> {
    const mine = await connection.open('pty-attach', { id: terminalId, after: next })
    stream = mine
    for (const frame of waiting.splice(0)) mine.write(frame)
    let left = 0
    const replayed: Buffer[] = []
    for await (const { kind, payload } of frames(mine)) {
      if (isDetached) return true
      if (kind === 'R') {
        hasAttached = true
        const { start, replayedBytes } = parsed(PtyStart, payload)
        next = start
        // What an earlier attachment missed is output like any other; only the first one's is the past.
        left = isFirst ? replayedBytes : 0
        if (left === 0 && isFirst) replay.resolve(Buffer.alloc(0))
      } else if (kind === 'D') {
        const bytes = Buffer.from(payload)
        next += bytes.length
        if (left === 0) {
          deliver(bytes)
          continue
        }
        const old = bytes.subarray(0, left)
        replayed.push(old)
        left -= old.length
        if (left > 0) continue
        replay.resolve(Buffer.concat(replayed))
        if (old.length < bytes.length) deliver(bytes.subarray(old.length))
      } else if (kind === 'X') {
        end(parsed(PtyEnd, payload).exitCode)
        return true
      }
    }
    return false
  }

  async function stay(): Promise<void> {
    let brokenSince: number | null = null
    for (let isFirst = true; !isDetached; isFirst = false) {
      const before = next
      try {
        if (await follow(isFirst)) return
      } catch (error) {
        if (!hasAttached) return replay.reject(error)
        if (isAppError(error, 'not_found')) break
      }
      if (next > before || brokenSince === null) brokenSince = Date.now()
      if (Date.now() - brokenSince > retryForMs) break
      await sleep(200)
    }
    if (!isDetached) end(null)
  }

  void stay()
  return {
    terminalId,
    replay: await replay.promise,
    write(bytes) {
      for (const frame of encodeData('I', bytes)) send(frame)
    },
    resize(cols, rows) {
      send(encodeJson('S', { cols, rows }))
    },
    async kill() {
      await connection.ask('pty-kill', { id: terminalId }, Empty)
    },
    detach() {
      isDetached = true
      stream?.close()
    },
    onData(listener) {
      onData = listener
      for (const bytes of early.splice(0)) listener(bytes)
    },
    onExit(listener) {
      if (ended) listener(ended.exitCode)
      else onExit = listener
    },
  }
}
