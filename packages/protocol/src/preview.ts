import { z } from 'zod'
import { ProjectId, Timestamp } from './ids.ts'

export const PreviewState = z.enum(['stopped', 'installing', 'starting', 'ready', 'crashed', 'asleep'])
export type PreviewState = z.infer<typeof PreviewState>

/** `origin` is the preview's own origin, without a ticket; open it with a ticket (POST p/preview/ticket). */
export const Preview = z.object({
  projectId: ProjectId,
  branch: z.string(),
  state: PreviewState,
  origin: z.string().nullable(),
  port: z.int(),
  command: z.string(),
  logTail: z.string(),
  error: z.string().nullable(),
  updatedAt: Timestamp,
})
export type Preview = z.infer<typeof Preview>

export const PreviewQuery = z.object({ branch: z.string().max(200).default('main') })
export const PreviewBody = z.strictObject({ branch: z.string().max(200).default('main') })
/** One use, 30 s: the address that trades the ticket for the preview's own cookie. */
export const PreviewTicket = z.object({ url: z.string(), expiresIn: z.int() })
export type PreviewTicket = z.infer<typeof PreviewTicket>
