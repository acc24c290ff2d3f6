import { z } from 'zod'
import { Event } from './events.ts'
import { MessageId, ProjectId, RunId, TerminalId } from './ids.ts'
import { Problem } from './problem.ts'
import { Role } from './roles.ts'

/**
 * One socket, `/ws`. The first frame is `hello` with a ticket (a client without an Origin may send a bearer header
 * instead). Text frames are JSON with `op`; binary frames are terminal bytes: u32 big-endian channel, then bytes.
 */
export const ClientFrame = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('hello'), ticket: z.string().max(200) }),
  z.strictObject({ op: z.literal('subscribe'), topic: z.string().max(100), after: z.int().min(0).optional() }),
  z.strictObject({ op: z.literal('unsubscribe'), topic: z.string().max(100) }),
  z.strictObject({ op: z.literal('ping') }),
  /** Without `terminalId` a new terminal starts; with it, up to 256 kB are replayed. `ref` comes back in the answer. */
  z.strictObject({
    op: z.literal('terminal.open'),
    ref: z.string().max(64),
    projectId: ProjectId,
    terminalId: TerminalId.optional(),
    branch: z.string().max(200).default('main'),
    cols: z.int().min(2).max(500),
    rows: z.int().min(1).max(300),
  }),
  z.strictObject({
    op: z.literal('terminal.resize'),
    channel: z.int().min(1),
    cols: z.int().min(2).max(500),
    rows: z.int().min(1).max(300),
  }),
  /** Detaches; with `kill` the terminal itself ends. */
  z.strictObject({ op: z.literal('terminal.close'), channel: z.int().min(1), kill: z.boolean().default(false) }),
])
export type ClientFrame = z.infer<typeof ClientFrame>

export const ServerFrame = z.discriminatedUnion('op', [
  z.object({ op: z.literal('welcome'), heartbeatMs: z.int() }),
  z.object({ op: z.literal('subscribed'), topic: z.string(), head: z.int() }),
  z.object({ op: z.literal('event'), event: Event }),
  /** Text of a message that is still being written. `offset` counts UTF-16 units already sent for it. */
  z.object({
    op: z.literal('delta'),
    topic: z.string(),
    messageId: MessageId,
    runId: RunId,
    role: Role,
    offset: z.int(),
    text: z.string(),
  }),
  /** Too much was missed, or the reader was too slow: fetch anew, then subscribe after `head`. */
  z.object({ op: z.literal('reset'), topic: z.string(), head: z.int() }),
  /** Rights to the topic ended. */
  z.object({ op: z.literal('revoked'), topic: z.string() }),
  z.object({ op: z.literal('error'), problem: Problem, ref: z.string().optional() }),
  z.object({ op: z.literal('pong') }),
  z.object({
    op: z.literal('terminal.opened'),
    ref: z.string(),
    terminalId: TerminalId,
    channel: z.int(),
    replayedBytes: z.int(),
  }),
  z.object({ op: z.literal('terminal.exited'), channel: z.int(), exitCode: z.int().nullable() }),
])
export type ServerFrame = z.infer<typeof ServerFrame>
