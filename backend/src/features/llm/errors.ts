import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { ProblemCode } from '@guildhall/protocol/problem.ts'
import { AppError } from '../../platform/errors.ts'

/** What kind of failure a model call had; match on this (or on `code`), never on the text. */
export type ModelFailure =
  | 'auth'
  | 'billing'
  | 'model'
  | 'rate'
  | 'overload'
  | 'context'
  | 'request'
  | 'network'
  | 'idle'
  | 'parse'
  | 'cancelled'

const codes: Record<ModelFailure, ProblemCode> = {
  auth: 'no_model',
  billing: 'no_model',
  model: 'no_model',
  rate: 'rate_limited',
  overload: 'unavailable',
  context: 'payload_too_large',
  request: 'bad_request',
  network: 'unavailable',
  idle: 'unavailable',
  parse: 'unavailable',
  cancelled: 'gone',
}

export const noUsage: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

export const addUsage = (a: TokenUsage, b: TokenUsage): TokenUsage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
})

/**
 * A model call that failed, in plain words with the next step. `usage` is what the provider had counted by then
 * (a broken stream is billed too). `cancelled` means that the caller's own signal ended it.
 */
export class ModelCallError extends AppError {
  readonly kind: ModelFailure
  readonly usage: TokenUsage
  readonly attempts: number
  /** Whether the same request may succeed when it is sent again. */
  readonly retryable: boolean
  /** What the provider asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    kind: ModelFailure,
    detail: string,
    options: {
      usage?: TokenUsage
      attempts?: number
      retryable?: boolean
      retryAfterMs?: number
      cause?: unknown
    } = {},
  ) {
    const { retryAfterMs } = options
    super(codes[kind], detail, {
      cause: options.cause,
      retryAfterS: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000),
    })
    this.name = 'ModelCallError'
    this.kind = kind
    this.usage = options.usage ?? noUsage
    this.attempts = options.attempts ?? 1
    this.retryable = options.retryable ?? false
    this.retryAfterMs = retryAfterMs
  }
}
