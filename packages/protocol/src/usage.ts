import { z } from 'zod'
import { CostUsd } from './ids.ts'

export const UsageSummary = z.object({
  costUsd: CostUsd,
  calls: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheReadTokens: z.int(),
  cacheWriteTokens: z.int(),
})
export type UsageSummary = z.infer<typeof UsageSummary>
