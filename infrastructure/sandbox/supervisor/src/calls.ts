import type { Answer } from './answer.ts'
import { Arguments } from './check.ts'
import type { Claims } from './claims.ts'
import { Run, type Outcome, type Sink } from './exec.ts'
import type { DiskWatch } from './disk.ts'
import type { Files } from './files.ts'
import type { Processes } from './processes.ts'
import type { Results } from './results.ts'
import { listeningPorts, readStats } from './system.ts'
import type { Reader, Terminals } from './terminals.ts'
import { Failure, type ExecCall, type Frame } from './wire.ts'

const maxTimeoutMs = 6 * 60 * 60_000
const maxKeptBytes = 16 * 1024 * 1024
const maxBehindBytes = 1024 * 1024
const maxStuckMs = 10_000

export type World = {
  root: string
  baseEnv: Record<string, string>
  claims: Claims
  disk: DiskWatch
  files: Files
  processes: Processes
  results: Results
  terminals: Terminals
  running: Set<Run>
}

type Frames = AsyncGenerator<Frame>
type Call = (world: World, args: Arguments, answer: Answer, frames: Frames) => Promise<unknown> | unknown

/** Every call there is. What one returns is its result; `undefined` means it has answered by itself. */
export const calls: Record<string, Call> = {
  hello: ({ root }) => ({ protocol: 1, root, pid: process.pid }),

  claim: ({ claims }, args) => {
    claims.claim(args.text('runId', 200), args.int('epoch', 0, Number.MAX_SAFE_INTEGER))
    return {}
  },

  exec: runCommand,

  result: async ({ results }, args, answer) => {
    const step = args.step()
    if (!step) throw new Failure('bad_request', 'The argument step is missing')
    const kept = results.find(step)
    if (!kept) return { state: 'unknown' }
    if ('run' in kept) return { state: 'running' }
    await sendOutput(answer, kept.outcome)
    return { state: 'done', ...kept.outcome.end }
  },

  read: async ({ files }, args, answer) => {
    const found = await files.read(args.text('path'))
    if (!found) return { exists: false }
    await sendData(answer, 'D', found.bytes)
    return { exists: true, hash: found.hash, sizeBytes: found.bytes.length }
  },

  write: async ({ claims, disk, files }, args, _answer, frames) => {
    disk.admit()
    const path = args.text('path')
    const expectedHash = args.expectedHash()
    const size = args.int('sizeBytes', 0, 50 * 1024 * 1024)
    const chunks: Buffer[] = []
    let received = 0
    while (received < size) {
      const next = await frames.next()
      if (next.done || next.value.kind !== 'I') throw new Failure('bad_request', 'The content ended early')
      received += next.value.payload.length
      chunks.push(Buffer.from(next.value.payload))
    }
    if (received !== size) throw new Failure('bad_request', 'More content than announced')
    // The epoch counts at the moment of the change, not when the bytes began to arrive.
    claims.admit(args.step())
    return files.write(path, Buffer.concat(chunks, received), expectedHash)
  },

  list: ({ files }, args) => files.list(args.text('path'), args.int('depth', 1, 64)),

  remove: async ({ claims, files }, args) => {
    claims.admit(args.step())
    await files.remove(args.text('path'))
    return {}
  },

  'process-start': async ({ processes }, args) => {
    const call = { argv: args.argv('argv'), cwd: args.text('cwd'), env: args.env('env') }
    await processes.start(args.text('name', 200), call)
    return {}
  },
  'process-stop': async ({ processes }, args) => {
    await processes.stop(args.text('name', 200))
    return {}
  },
  'process-find': ({ processes }, args) => ({ process: processes.find(args.text('name', 200)) }),
  'process-watch': ({ processes }, args, answer) => {
    const stop = processes.listen(args.text('name', 200), (chunk) => {
      // A reader that is far behind loses output; the process itself is never slowed down by who watches it.
      if (answer.stream.writableLength < maxBehindBytes) answer.data('D', chunk)
    })
    answer.stream.on('close', stop)
    answer.json('R', {})
    return undefined
  },

  'pty-open': ({ terminals }, args) => {
    const label = args.text('label', 1_000)
    const size = { cols: args.int('cols', 1, 1_000), rows: args.int('rows', 1, 1_000) }
    const argv = args.optionalText('shell') === null ? null : [args.text('shell')]
    return {
      pty: terminals.open({
        id: args.text('id', 100),
        label,
        argv,
        cwd: args.text('cwd'),
        env: args.env('env'),
        ...size,
      }),
    }
  },
  'pty-list': ({ terminals }) => ({ ptys: terminals.list() }),
  'pty-kill': ({ terminals }, args) => {
    terminals.kill(args.text('id', 100))
    return {}
  },
  'pty-attach': attachTerminal,

  disk: ({ disk }, args) => disk.limit(args.int('limitBytes', 1, Number.MAX_SAFE_INTEGER)),
  stats: ({ disk }) => readStats(disk.use()),
  ports: async () => ({ ports: await listeningPorts() }),
}

async function runCommand(world: World, args: Arguments, answer: Answer, frames: Frames): Promise<unknown> {
  const live = args.flag('live')
  const call: ExecCall = {
    argv: args.argv('argv'),
    cwd: args.text('cwd'),
    env: args.env('env'),
    hasInput: args.flag('hasInput'),
    timeoutMs: args.int('timeoutMs', 1, maxTimeoutMs),
    quietMs: args.optionalInt('quietMs', 1, maxTimeoutMs),
    maxBytes: args.int('maxBytes', 0, maxKeptBytes),
    live,
    step: args.step(),
  }
  world.claims.admit(call.step)
  const known = call.step && world.results.find(call.step)
  if (known) {
    // The same step again: its command is never run twice, its outcome is handed over.
    const outcome = 'run' in known ? await known.run.done : known.outcome
    await sendOutput(answer, outcome)
    return { ...outcome.end, replayed: true }
  }
  const sink: Sink = {
    write: (kind, chunk) => answer.data(kind, chunk),
    onceDrained: (callback) => answer.stream.once('drain', callback),
  }
  const run = new Run(call, world.baseEnv, live ? sink : null, (sinceMs) => world.disk.excuse(sinceMs))
  world.running.add(run)
  if (call.step) world.results.begin(call.step, run)
  // Nobody can ask later for a command without a step, so it ends with the stream that wanted it.
  const onLost = () => (call.step ? run.detach() : run.kill())
  answer.stream.once('close', onLost)
  void followInput(run, frames)
  const outcome = await run.done
  world.running.delete(run)
  answer.stream.off('close', onLost)
  if (!live) await sendOutput(answer, outcome)
  return { ...outcome.end, replayed: false }
}

/** An empty I frame ends the input; K ends the command. The stream's own end is noticed by its `close`. */
async function followInput(run: Run, frames: Frames): Promise<void> {
  try {
    for await (const { kind, payload } of frames) {
      if (kind === 'I' && payload.length > 0) await run.feed(payload)
      else if (kind === 'I') run.endInput()
      else if (kind === 'K') run.kill()
    }
  } catch {
    // The bridge broke or spoke nonsense: `close` follows, and decides there.
    run.endInput()
  }
}

async function attachTerminal(
  { terminals }: World,
  args: Arguments,
  answer: Answer,
  frames: Frames,
): Promise<undefined> {
  const id = args.text('id', 100)
  let stuck: NodeJS.Timeout | null = null
  const { stream } = answer
  const isFull = () => stream.writableLength > maxBehindBytes && !stream.destroyed
  const reader: Reader = {
    write(chunk) {
      answer.data('D', chunk)
      // A reader that takes nothing for so long would freeze the terminal for everybody else.
      if (isFull()) stuck ??= setTimeout(() => stream.destroy(), maxStuckMs)
    },
    isFull,
    exited: (exitCode) => answer.end({ exitCode }),
  }
  const { start, bytes, detach } = terminals.attach(id, args.int('after', 0, Number.MAX_SAFE_INTEGER), reader)
  stream.on('drain', () => {
    if (stuck) clearTimeout(stuck)
    stuck = null
    terminals.settle(id)
  })
  stream.on('close', () => {
    if (stuck) clearTimeout(stuck)
    detach()
  })
  answer.json('R', { start, replayedBytes: bytes.length })
  answer.data('D', bytes)
  try {
    for await (const { kind, payload } of frames) {
      if (kind === 'I') terminals.write(id, payload)
      if (kind !== 'S') continue
      const size = new Arguments(payload)
      terminals.resize(id, size.int('cols', 1, 1_000), size.int('rows', 1, 1_000))
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    // The bridge is gone; the terminal stays.
  }
  return undefined
}

async function sendOutput(answer: Answer, outcome: Outcome): Promise<void> {
  await sendData(answer, 'O', outcome.stdout)
  await sendData(answer, 'E', outcome.stderr)
}

async function sendData(answer: Answer, kind: 'D' | 'O' | 'E', bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += 1 << 20) {
    if (answer.data(kind, bytes.subarray(at, at + (1 << 20)))) continue
    await answer.drained()
  }
}
