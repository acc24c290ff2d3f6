/**
 * What is spoken over a bridge. Each call is one HTTP/2 stream `POST /<name>`; both directions carry frames:
 * one byte kind, u32 big-endian length, payload. The first frame of a call is `C` with its arguments as JSON; an answer
 * ends with `X` (JSON result) or `F` (JSON failure). A port inside is reached by CONNECT, with raw bytes.
 *
 * Towards the supervisor: C call · I input · K signal · S resize (both JSON)
 * Out of it:              O stdout · E stderr · D data · R replay (JSON) · X result · F failure
 */
export type FrameKind = 'C' | 'I' | 'K' | 'S' | 'O' | 'E' | 'D' | 'R' | 'X' | 'F'
export type Frame = { kind: string; payload: Buffer }

const headerBytes = 5
/** A frame longer than this ends the stream: a peer that lies about lengths must not make us wait or allocate. */
export const maxFrameBytes = 16 * 1024 * 1024
/** Longer data is cut into frames of this size. */
export const dataFrameBytes = 256 * 1024

export function encodeFrame(kind: FrameKind, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length)
  frame.writeUInt8(kind.charCodeAt(0), 0)
  frame.writeUInt32BE(payload.length, 1)
  payload.copy(frame, headerBytes)
  return frame
}

export const encodeJson = (kind: FrameKind, value: unknown): Buffer =>
  encodeFrame(kind, Buffer.from(JSON.stringify(value)))

/** `bytes` as frames of at most `dataFrameBytes`; nothing for an empty buffer. */
export function* encodeData(kind: FrameKind, bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += dataFrameBytes) {
    yield encodeFrame(kind, bytes.subarray(at, at + dataFrameBytes))
  }
}

/** Reads frames until the stream ends. Throws when a length is over the limit or the stream ends inside a frame. */
export async function* readFrames(stream: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let chunks: Buffer[] = []
  let available = 0
  let wanted = headerBytes
  let kind = ''
  for await (const chunk of stream) {
    chunks.push(chunk)
    available += chunk.length
    while (available >= wanted) {
      let bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, available)
      if (kind === '') {
        kind = String.fromCharCode(bytes[0]!)
        wanted = bytes.readUInt32BE(1)
        if (wanted > maxFrameBytes) throw new Error(`A frame of ${wanted} bytes is over the limit`)
        bytes = bytes.subarray(headerBytes)
      } else {
        yield { kind, payload: bytes.subarray(0, wanted) }
        bytes = bytes.subarray(wanted)
        kind = ''
        wanted = headerBytes
      }
      chunks = bytes.length > 0 ? [bytes] : []
      available = bytes.length
    }
  }
  if (kind !== '' || available > 0) throw new Error('The stream ended inside a frame')
}

/** Failures a caller can act on; anything else is `internal`. */
export type FailureCode =
  | 'bad_request'
  | 'not_found'
  | 'forbidden'
  | 'conflict'
  | 'stale'
  | 'invalid'
  | 'payload_too_large'
  | 'disk_full'
  | 'unavailable'
  | 'internal'

export class Failure extends Error {
  readonly code: FailureCode
  constructor(code: FailureCode, detail: string) {
    super(detail)
    this.code = code
  }
}

/** Which step of which run a call belongs to. `epoch` is the fencing number of the worker that holds the run. */
export type Step = { runId: string; epoch: number; stepId: string }

export type ExecCall = {
  argv: string[]
  cwd: string
  env: Record<string, string>
  hasInput: boolean
  timeoutMs: number
  quietMs: number | null
  /** Bound of each stream that is kept; the middle is left out. */
  maxBytes: number
  /** Send output as it comes, whole, with backpressure; else only what was kept, at the end. */
  live: boolean
  step: Step | null
}

/** The JSON of a finished command; the kept output travels before it in O and E frames. */
export type ExecEnd = {
  exitCode: number | null
  signal: string | null
  timedOut: boolean
  durationMs: number
  stdoutBytes: number
  stderrBytes: number
  leftOutBytes: number
}

export type Entry = { path: string; kind: 'file' | 'directory' | 'symlink'; sizeBytes: number }
export type ProcessInfo = { state: 'running' | 'exited'; exitCode: number | null; tail: string }
export type PtyInfo = { id: string; label: string; cols: number; rows: number; createdAt: string; exited: boolean }
/** `host_full`: the machine itself has less than a tenth of its disk left, whatever this sandbox takes. */
export type DiskState = 'ok' | 'near' | 'full' | 'host_full'
/** `limitBytes` null: the platform has not said one yet. `ended`: programs that were stopped for going on writing. */
export type DiskUse = { state: DiskState; usedBytes: number; limitBytes: number | null; ended: string[] }
export type Stats = {
  memoryBytes: number | null
  cpuUs: number | null
  pids: number | null
  /** Of the workspace, and what it may become. */
  diskUsedBytes: number
  diskLimitBytes: number | null
}
