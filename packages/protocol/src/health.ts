import { z } from 'zod'

export const Liveness = z.object({ status: z.literal('ok'), version: z.string() })
export type Liveness = z.infer<typeof Liveness>

/** `off` = not configured and not needed; it never makes readiness red. */
export const HealthPart = z.object({
  name: z.string(),
  status: z.enum(['ok', 'failing', 'off']),
  detail: z.string(),
})
export type HealthPart = z.infer<typeof HealthPart>

export const Readiness = z.object({ status: z.enum(['ok', 'failing']), parts: z.array(HealthPart) })
export type Readiness = z.infer<typeof Readiness>
