import { z } from 'zod'

/**
 * A model that can be chosen. `scripted` marks the rehearsal: its answers come from a script, and every place that
 * names it says so. Prices are dollars for a million tokens, as decimal strings.
 */
export const ModelInfo = z.object({
  id: z.string(),
  label: z.string(),
  provider: z.string(),
  scripted: z.boolean(),
  available: z.boolean(),
  contextTokens: z.int(),
  prices: z.object({
    input: z.string(),
    output: z.string(),
    cacheRead: z.string(),
    cacheWrite: z.string(),
    source: z.string(),
    asOf: z.string(),
  }),
})
export type ModelInfo = z.infer<typeof ModelInfo>
export const ModelList = z.object({ items: z.array(ModelInfo), defaultModel: z.string().nullable() })
export type ModelList = z.infer<typeof ModelList>

export const TokenUsage = z.object({
  inputTokens: z.int(),
  outputTokens: z.int(),
  cacheReadTokens: z.int(),
  cacheWriteTokens: z.int(),
})
export type TokenUsage = z.infer<typeof TokenUsage>
