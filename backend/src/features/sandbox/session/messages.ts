import { z } from 'zod'

/**
 * What a supervisor may answer. It runs inside the sandbox, under the same user as the project's code, so every answer
 * is a claim: checked for shape and size here, and never taken as proof of who sent it.
 */
const count = z.int().min(0)
const hash = z.string().regex(/^[0-9a-f]{64}$/)

export const Empty = z.object({})
export const Hello = z.object({ protocol: z.literal(1) })
export const ExecEnd = z.object({
  exitCode: z.int().nullable(),
  signal: z.string().max(20).nullable(),
  timedOut: z.boolean(),
  durationMs: z.number().min(0),
  leftOutBytes: count,
  replayed: z.boolean().default(false),
})
export type ExecEnd = z.infer<typeof ExecEnd>
export const StepResult = z.discriminatedUnion('state', [
  z.object({ state: z.literal('unknown') }),
  z.object({ state: z.literal('running') }),
  ExecEnd.extend({ state: z.literal('done') }),
])
export const ReadEnd = z.discriminatedUnion('exists', [
  z.object({ exists: z.literal(false) }),
  z.object({ exists: z.literal(true), hash, sizeBytes: count }),
])
export const WriteEnd = z.object({ hash })
export const Listing = z.object({
  entries: z
    .array(
      z.object({
        path: z.string().max(8_192),
        kind: z.enum(['file', 'directory', 'symlink']),
        sizeBytes: count,
      }),
    )
    .max(20_000),
})
export const ProcessFound = z.object({
  process: z
    .object({
      state: z.enum(['running', 'exited']),
      exitCode: z.int().nullable(),
      tail: z.string().max(200_000),
    })
    .nullable(),
})
export const Pty = z.object({
  id: z.uuid(),
  label: z.string().max(1_000),
  cols: count,
  rows: count,
  createdAt: z.iso.datetime(),
  exited: z.boolean(),
})
export type Pty = z.infer<typeof Pty>
export const PtyOpened = z.object({ pty: Pty })
export const PtyListing = z.object({ ptys: z.array(Pty).max(100) })
export const PtyStart = z.object({ start: count, replayedBytes: count.max(1_000_000) })
export const PtyEnd = z.object({ exitCode: z.int().nullable() })
export const DiskUse = z.object({
  state: z.enum(['ok', 'near', 'full', 'host_full']),
  usedBytes: count,
  ended: z.array(z.string().max(64)).max(20),
})
export type DiskUse = z.infer<typeof DiskUse>
export const Stats = z.object({
  memoryBytes: count.nullable(),
  cpuUs: count.nullable(),
  pids: count.nullable(),
  diskUsedBytes: count,
  diskLimitBytes: count.nullable(),
})
export type Stats = z.infer<typeof Stats>
export const Ports = z.object({ ports: z.array(z.int().min(1).max(65_535)).max(65_535) })
export const Refusal = z.object({ code: z.string().max(40), detail: z.string().max(20_000) })
