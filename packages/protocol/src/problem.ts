import { z } from 'zod'

/** Codes a caller can act on. Match on these, never on the text. */
export const ProblemCode = z.enum([
  'bad_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'stale',
  'gone',
  'payload_too_large',
  'unsupported_media_type',
  'invalid',
  'rate_limited',
  'over_budget',
  'no_model',
  'no_engine',
  'unavailable',
  'disk_full',
  'internal',
])
export type ProblemCode = z.infer<typeof ProblemCode>

/** RFC 9457, sent as application/problem+json. `fields` maps a path in the input to what is wrong there. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: ProblemCode,
  detail: z.string().optional(),
  fields: z.record(z.string(), z.string()).optional(),
  requestId: z.string().optional(),
})
export type Problem = z.infer<typeof Problem>
