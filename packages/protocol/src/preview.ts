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
/** A place on the preview's own origin: path, query and fragment. */
export const PreviewPath = z
  .string()
  .max(2_000)
  .regex(/^\/(?![/\\])[^\0-\x20\x7f\\]*$/, 'a path that begins with one slash')
/** `path` is where the ticket leads. */
export const PreviewTicketBody = PreviewBody.extend({ path: PreviewPath.default('/') })
/** One use, 30 s: the address that trades the ticket for the preview's own cookie. */
export const PreviewTicket = z.object({ url: z.string(), expiresIn: z.int() })
export type PreviewTicket = z.infer<typeof PreviewTicket>

/**
 * The workbench and the page in its preview talk by `postMessage`, each to the other's exact origin. The page answers
 * whoever of the workbench's origins asked last; what it says is only ever shown, never trusted.
 */
export const PreviewPageAsk = z.strictObject({
  guildhall: z.enum(['page.where', 'page.back', 'page.forward', 'page.reload']),
})
export type PreviewPageAsk = z.infer<typeof PreviewPageAsk>
export const PreviewPageAt = z.strictObject({
  guildhall: z.literal('page.at'),
  path: PreviewPath,
  canGoBack: z.boolean(),
  canGoForward: z.boolean(),
})
export type PreviewPageAt = z.infer<typeof PreviewPageAt>
