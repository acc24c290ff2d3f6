import { z } from 'zod'
import { AgentId, RunId, SessionId, UserId } from './ids.ts'
import { Role } from './roles.ts'

export const PlatformRole = z.enum(['user', 'admin'])
export type PlatformRole = z.infer<typeof PlatformRole>

/**
 * Who does something. An agent acts on behalf of the person whose wish started its run and never has more rights
 * than that person. `system` is the house itself: sweeps, the scheduler, the merge queue.
 */
export const Actor = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('user'), userId: UserId, sessionId: SessionId, role: PlatformRole }),
  z.object({ kind: z.literal('agent'), agentId: AgentId, runId: RunId, role: Role, onBehalfOf: UserId }),
  z.object({ kind: z.literal('system') }),
])
export type Actor = z.infer<typeof Actor>

/** An actor as the log keeps it: no session ids. */
export const EventActor = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('user'), userId: UserId }),
  z.object({ kind: z.literal('agent'), agentId: AgentId, runId: RunId, role: Role }),
  z.object({ kind: z.literal('system') }),
])
export type EventActor = z.infer<typeof EventActor>
