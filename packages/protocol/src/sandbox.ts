import { z } from 'zod'
import { ProjectId, TerminalId, Timestamp, UserId } from './ids.ts'

export const SandboxState = z.enum([
  'none',
  'creating',
  'running',
  'sleeping',
  'stopping',
  'stopped',
  'unhealthy',
  'error',
])
export type SandboxState = z.infer<typeof SandboxState>

export const SandboxLimits = z.object({ memoryMiB: z.int(), cpus: z.number(), pids: z.int(), diskMiB: z.int() })
export type SandboxLimits = z.infer<typeof SandboxLimits>

/**
 * What the workspace takes of its share. `near`: four fifths of it. `full`: the platform's tools write no more, and
 * programs that go on writing are stopped (`ended` names them). `host_full`: the same, because the machine's own disk
 * has less than a tenth left.
 */
export const SandboxDisk = z.object({
  state: z.enum(['ok', 'near', 'full', 'host_full']),
  usedBytes: z.int(),
  limitBytes: z.int(),
  ended: z.array(z.string()),
})
export type SandboxDisk = z.infer<typeof SandboxDisk>

/** `isolated` is false only for the local driver, which runs plain processes; every screen says so. */
export const Sandbox = z.object({
  projectId: ProjectId,
  state: SandboxState,
  driver: z.string(),
  isolated: z.boolean(),
  image: z.string().nullable(),
  limits: SandboxLimits,
  /** Null until it was looked at; brought up to date when its state changes, not with every byte. */
  disk: SandboxDisk.nullable(),
  startedAt: Timestamp.nullable(),
  error: z.string().nullable(),
})
export type Sandbox = z.infer<typeof Sandbox>
export const SandboxAnswer = z.object({ container: Sandbox })

/** `cwd` is relative to the work tree of `branch` (main by default). */
export const Exec = z.strictObject({
  command: z.string().min(1).max(20_000),
  branch: z.string().max(200).default('main'),
  cwd: z.string().max(1_000).optional(),
  timeoutMs: z.int().min(100).max(600_000).default(120_000),
})
export type Exec = z.infer<typeof Exec>

/** Output is kept to its head and tail; `leftOutBytes` says how much is missing from the middle. */
export const ExecResult = z.object({
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  stdout: z.string(),
  stderr: z.string(),
  leftOutBytes: z.int(),
  timedOut: z.boolean(),
  durationMs: z.number(),
})
export type ExecResult = z.infer<typeof ExecResult>

export const Terminal = z.object({
  id: TerminalId,
  projectId: ProjectId,
  branch: z.string(),
  cols: z.int(),
  rows: z.int(),
  createdAt: Timestamp,
})
export type Terminal = z.infer<typeof Terminal>

export const ContainerLogs = z.object({ lines: z.array(z.string()), dropped: z.int() })

/** An exact `host:port` that code in a project's sandboxes may reach, because an owner said so. Bytes since then. */
export const AllowedHost = z.object({
  target: z.string(),
  allowedBy: UserId.nullable(),
  allowedAt: Timestamp,
  sentBytes: z.int(),
  receivedBytes: z.int(),
  lastUsedAt: Timestamp.nullable(),
})
export type AllowedHost = z.infer<typeof AllowedHost>
export const AllowedHostAnswer = z.object({ host: AllowedHost })

/** `stream`: which of the two the container wrote on. Lines before `tail` newest ones are left out. */
export const LogQuery = z.object({
  tail: z.coerce.number().int().min(1).max(5_000).default(200),
  since: Timestamp.optional(),
  until: Timestamp.optional(),
  stream: z.enum(['stdout', 'stderr', 'both']).default('both'),
})
export type LogQuery = z.output<typeof LogQuery>

/** What a sandbox used over a stretch of time that begins at `at`. `cpus`: processor seconds a second. */
export const StatsPoint = z.object({
  at: Timestamp,
  cpus: z.number(),
  memoryBytes: z.number(),
  pids: z.number(),
  diskUsedBytes: z.number(),
})
export type StatsPoint = z.infer<typeof StatsPoint>

/** Both in seconds: how far back, and how long a point of the series is. At most 1,000 points come. */
export const StatsQuery = z.object({
  range: z.coerce.number().int().min(60).max(86_400).default(3_600),
  step: z.coerce.number().int().min(5).max(3_600).default(60),
})
export type StatsQuery = z.output<typeof StatsQuery>
