import type { ModelInfo, ModelList, TokenUsage } from '@guildhall/protocol/llm.ts'
import type { Log } from '../../platform/log.ts'
import { createAnthropicProvider } from './anthropic.ts'
import { createCatalog, type ModelConfig } from './catalog.ts'
import { addUsage, ModelCallError, noUsage } from './errors.ts'
import type { CallPrices, ModelAnswer, ModelRequest, StreamOptions } from './types.ts'

export type { ModelFailure } from './errors.ts'
export type { ModelCallError } from './errors.ts'
export type { ModelConfig } from './catalog.ts'
export type {
  AnswerPart,
  CallPrices,
  ModelAnswer,
  ModelMessage,
  ModelRequest,
  ModelTool,
  ReasoningPart,
  StreamOptions,
  TextPart,
  ToolResultPart,
  ToolUsePart,
} from './types.ts'

/** All in milliseconds but `attempts`. A `retry-after` longer than `retryAfterCapMs` is told, not waited for. */
export type CallLimits = {
  attempts: number
  baseDelayMs: number
  maxDelayMs: number
  retryAfterCapMs: number
  idleMs: number
  deadlineMs: number
}

const usualLimits: CallLimits = {
  attempts: 5,
  baseDelayMs: 500,
  maxDelayMs: 20_000,
  retryAfterCapMs: 60_000,
  idleMs: 90_000,
  deadlineMs: 900_000,
}

/** Sleeps, or throws `cancelled` as soon as the caller stops. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

export function createLlmService({
  config,
  log,
  limits: wanted = {},
}: {
  config: ModelConfig
  log: Log
  limits?: Partial<CallLimits>
}) {
  const limits = { ...usualLimits, ...wanted }
  const catalog = createCatalog(config)
  const provider = config.anthropic && createAnthropicProvider({ ...config.anthropic, find: catalog.find })

  function delayMs(attempt: number, error: ModelCallError): number {
    const grown = Math.min(limits.maxDelayMs, limits.baseDelayMs * 2 ** (attempt - 1))
    // Full jitter on the upper half: many runs that failed together do not come back together.
    const jittered = grown / 2 + Math.random() * (grown / 2)
    return Math.max(jittered, error.retryAfterMs ?? 0)
  }

  return {
    models: (): ModelList => catalog.list(),

    /** The model that will be used. Throws `no_model` with what to do: nothing set up, or not a known model. */
    resolve: (wantedModel: string | null): string => catalog.resolve(wantedModel),

    /** Facts of one known model. Throws `no_model`. */
    describe: (model: string): ModelInfo => catalog.find(model).info,

    /** What the ledger charges by. Throws `no_model`: an unpriced call must not run free. */
    prices: (model: string): CallPrices => catalog.find(model).prices,

    /**
     * One answer of a model. Text arrives at `onText` as it is written. Tries again (408, 409, 429, 5xx, connection,
     * broken or silent stream) within `attempts` and the total deadline, honouring `retry-after`; nothing of a broken
     * try is kept, because no tool runs before the answer is whole, and `onRestart` voids the text streamed so far.
     * Throws `ModelCallError` (an AppError): plain words, `kind`, and the usage that was counted by then.
     */
    async stream(request: ModelRequest, options: StreamOptions): Promise<ModelAnswer> {
      catalog.resolve(request.model)
      if (!provider) throw new Error('resolve lets nothing through without a provider')
      const deadline = AbortSignal.timeout(limits.deadlineMs)
      const signal = AbortSignal.any([options.signal, deadline])
      const startedAt = Date.now()
      let spent: TokenUsage = noUsage

      for (let attempt = 1; ; attempt++) {
        let streamed = false
        const onText = (text: string) => {
          streamed = true
          options.onText(text)
        }
        try {
          const answer = await provider.attempt(request, { signal, onText, idleMs: limits.idleMs })
          return { ...answer, usage: addUsage(spent, answer.usage), attempts: attempt }
        } catch (error) {
          if (!(error instanceof ModelCallError)) throw error
          spent = addUsage(spent, error.usage)
          const told = (kind = error.kind, detail = error.message) =>
            new ModelCallError(kind, detail, {
              usage: spent,
              attempts: attempt,
              retryable: error.retryable,
              retryAfterMs: error.retryAfterMs,
              cause: error,
            })
          if (options.signal.aborted) throw told('cancelled', 'The call was stopped.')
          if (deadline.aborted)
            throw told(
              'idle',
              `The model did not finish within ${Math.round(limits.deadlineMs / 60_000)} minutes. Try again.`,
            )
          if (!error.retryable || attempt >= limits.attempts) throw told()
          const waitMs = delayMs(attempt, error)
          if ((error.retryAfterMs ?? 0) > limits.retryAfterCapMs) throw told()
          if (Date.now() - startedAt + waitMs > limits.deadlineMs) throw told()
          log.warn(
            { model: request.model, attempt, kind: error.kind, waitMs: Math.round(waitMs) },
            'model call tried again',
          )
          if (streamed) options.onRestart?.()
          await pause(waitMs, signal)
          if (options.signal.aborted) throw told('cancelled', 'The call was stopped.')
        }
      }
    },
  }
}
export type LlmService = ReturnType<typeof createLlmService>
