import type { Duplex } from 'node:stream'
import { createConnection, type Connection } from './connection.ts'
import { createExec, type ExecCall, type ExecOutcome, type StepRef } from './exec.ts'
import { createFiles, type FileEntry } from './files.ts'
import { DiskUse, Empty, Ports, ProcessFound, Stats } from './messages.ts'
import { createPaths, type Paths } from './paths.ts'
import { TunnelSocket } from './tunnel.ts'
import { watchProcess } from './watch.ts'

export type { ExecCall, ExecOutcome, FileEntry, StepRef }

/**
 * A running sandbox, over its supervisor. Every path is absolute and under /workspace. The bridge reopens by itself;
 * a call that it broke under throws `unavailable`. Nothing here wakes a sandbox: `SandboxService.session` does.
 */
export interface SandboxSession {
  /**
   * Runs one command in a process group of its own and answers however it ends, also with a non-zero exit. Of each
   * output stream `maxBytes` are kept (1 MiB unless told), half from its head, half from its tail; a line in between
   * says what is missing, and `leftOutBytes` counts it. `onOutput` gets everything, as it comes.
   * `timeoutMs` (2 min) and `quietMs` (no output for so long) end the whole tree: `timedOut`. `signal` ends it too.
   * With a `step` the command outlives a broken bridge and is never run twice: the same step again gives its outcome.
   * Throws `stale` for an epoch that was superseded, `not_found` for a missing `cwd`.
   */
  exec(call: ExecCall): Promise<ExecOutcome>
  /** What became of a step's command, for after a crash of the platform. `unknown`: not run in this life of the sandbox. */
  result(step: StepRef): Promise<ExecOutcome | 'unknown' | 'running'>
  /** Announces who holds a run; calls with a lower epoch are refused from now on (`stale`, also for this call). */
  claim(runId: string, epoch: number): Promise<void>
  /** Null when there is no such file. `hash` is sha-256 in hex. Up to 50 MB; links are refused, not followed. */
  readFile(path: string): Promise<{ bytes: Buffer; hash: string } | null>
  /**
   * Makes or replaces a file in one step, with the folders it needs. `expectedHash`: what must be there now, null =
   * nothing; otherwise `stale` and nothing is written.
   */
  writeFile(
    path: string,
    bytes: Buffer,
    options?: { expectedHash?: string | null | undefined; step?: StepRef | undefined },
  ): Promise<{ hash: string }>
  /** What is under a folder, `depth` levels deep, at most 20,000 entries. Links are listed, not followed. */
  list(path: string, depth: number): Promise<FileEntry[]>
  /** Removes a file, a link or a whole folder; gone already is fine. */
  remove(path: string, options?: { step?: StepRef | undefined }): Promise<void>
  /** Starts a long-lived process, ending one of the same name first. It lives on without us. */
  startProcess(
    name: string,
    call: { argv: string[]; cwd: string; env?: Record<string, string> | undefined },
  ): Promise<void>
  stopProcess(name: string): Promise<void>
  /** `tail`: the last 64 kB of its output. */
  process(name: string): Promise<{ state: 'running' | 'exited'; exitCode: number | null; tail: string } | null>
  /** Live output of a named process, from now on and over restarts of it, until the answered function is called. */
  onProcess(name: string, listener: (chunk: Buffer) => void): () => void
  /** TCP to a port on the sandbox's loopback. Throws `unavailable` when nothing listens. */
  dial(port: number): Promise<Duplex>
  stats(): Promise<Stats>
  /** TCP ports that something inside listens on. */
  ports(): Promise<number[]>
}

/** A session with what only the sandbox feature itself needs of it. */
export type OpenSession = SandboxSession & {
  connection: Connection
  paths: Paths
  /** Says how much its disk may take, and answers how much it does. The sandbox keeps to it from then on. */
  limitDisk(limitBytes: number): Promise<DiskUse>
  close(): void
}

export function openSession({
  openBridge,
  root,
}: {
  openBridge: () => Promise<Duplex>
  /** Where /workspace is in the eyes of the supervisor. */
  root: string
}): OpenSession {
  const connection = createConnection(openBridge)
  const paths = createPaths(root)
  const { ask } = connection
  return {
    connection,
    paths,
    ...createExec(connection, paths),
    ...createFiles(connection, paths),
    async claim(runId, epoch) {
      await ask('claim', { runId, epoch }, Empty)
    },
    async startProcess(name, { argv, cwd, env = {} }) {
      const call = { name, argv: paths.words(argv), cwd: paths.folder(cwd), env: paths.environment(env) }
      await ask('process-start', call, Empty)
    },
    async stopProcess(name) {
      await ask('process-stop', { name }, Empty)
    },
    async process(name) {
      return (await ask('process-find', { name }, ProcessFound)).process
    },
    onProcess: (name, listener) => watchProcess(connection, name, listener),
    async dial(port) {
      return new TunnelSocket(await connection.tunnel(port))
    },
    stats: () => ask('stats', {}, Stats),
    // The first count of a large workspace takes its time.
    limitDisk: (limitBytes) => ask('disk', { limitBytes }, DiskUse, 120_000),
    async ports() {
      return (await ask('ports', {}, Ports)).ports
    },
    close: () => connection.close(),
  }
}
