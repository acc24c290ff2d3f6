import Anthropic, { APIConnectionError, APIError } from '@anthropic-ai/sdk'
import type {
  MessageCreateParamsStreaming,
  MessageParam,
  RawMessageStreamEvent,
} from '@anthropic-ai/sdk/resources/messages'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { CatalogModel } from './catalog.ts'
import { ModelCallError, noUsage } from './errors.ts'
import type { AnswerPart, ModelAnswer, ModelMessage, ModelProvider, ModelRequest, ToolUsePart } from './types.ts'

type UserBlock = Extract<Exclude<MessageParam['content'], string>[number], { type: 'text' | 'tool_result' }>
type Content = Exclude<MessageParam['content'], string>
const provider = 'anthropic'
const ephemeral = { type: 'ephemeral' } as const
/** Far more than the tokens of one answer can hold: past these a server is broken or means harm. */
const maxAnswerLength = 1_000_000
const maxToolUses = 128

/** The arguments of a malformed call are shown back to the model as they came, cut to a readable length. */
const replayedInput = (part: ToolUsePart) =>
  part.malformed === undefined ? part.input : { malformed: part.malformed.slice(0, 2_000) }

function assistantContent(parts: AnswerPart[], model: string): Content {
  return parts.flatMap((part): Content => {
    if (part.type === 'text') return part.text === '' ? [] : [{ type: 'text', text: part.text }]
    if (part.type === 'tool_use')
      return [{ type: 'tool_use', id: part.id, name: part.name, input: replayedInput(part) }]
    // Signed reasoning is bound to its model; another one refuses it.
    return part.provider === provider && part.model === model ? [part.data as Content[number]] : []
  })
}

const userContent = (content: Extract<ModelMessage, { role: 'user' }>['content']): UserBlock[] =>
  content.map((part) =>
    part.type === 'text'
      ? { type: 'text', text: part.text }
      : {
          type: 'tool_result',
          tool_use_id: part.toolUseId,
          content: [{ type: 'text', text: part.text === '' ? '(nothing)' : part.text }],
          is_error: part.isError,
        },
  )

/**
 * The request as it goes over the wire. Cache breakpoints: the system text (tools stand before it and are covered),
 * the last person's or tools' message, and the one before it, so that the next call finds what this one wrote.
 */
export function toAnthropic(request: ModelRequest, model: CatalogModel): MessageCreateParamsStreaming {
  const messages = request.messages.map((message): MessageParam =>
    message.role === 'user'
      ? { role: 'user', content: userContent(message.content) }
      : { role: 'assistant', content: assistantContent(message.content, request.model) },
  )
  for (const message of messages.filter((candidate) => candidate.role === 'user').slice(-2)) {
    const last = (message.content as UserBlock[]).at(-1)
    if (last) last.cache_control = ephemeral
  }
  return {
    model: request.model,
    max_tokens: Math.min(request.maxTokens, model.maxOutputTokens),
    system: [{ type: 'text', text: request.system, cache_control: ephemeral }],
    messages,
    ...(request.tools.length > 0 && {
      tools: request.tools.map((tool) => ({
        name: tool.name,
        description: tool.description,
        input_schema: { type: 'object' as const, ...tool.inputSchema },
      })),
    }),
    // `summarized`: newer models put what they say between tool calls there, and by default leave the text out.
    ...(model.thinking && { thinking: { type: 'adaptive' as const, display: 'summarized' as const } }),
    stream: true,
  }
}

/** Builds the answer event by event, so that malformed arguments are kept as they came instead of throwing. */
class Assembly {
  usage: TokenUsage = noUsage
  stopReason: string | null = null
  complete = false
  model: string
  private readonly blocks = new Map<number, { part: AnswerPart; json: string }>()
  private length = 0
  private toolUses = 0

  constructor(model: string) {
    this.model = model
  }

  /** Takes one event; answers the text it added, if any. */
  take(event: RawMessageStreamEvent): string {
    if (event.type === 'message_start') {
      this.count(event.message.usage)
      this.model = event.message.model
    } else if (event.type === 'content_block_start') {
      this.begin(event.index, event.content_block)
      return event.content_block.type === 'text' ? event.content_block.text : ''
    } else if (event.type === 'content_block_delta') return this.grow(event.index, event.delta)
    else if (event.type === 'content_block_stop') this.close(event.index)
    else if (event.type === 'message_delta') {
      this.stopReason = event.delta.stop_reason
      this.count(event.usage)
    } else if (event.type === 'message_stop') this.complete = true
    return ''
  }

  /** Whether more came than can be taken; everything is kept, shown and sent again in every later step. */
  get isTooLarge(): boolean {
    return this.length > maxAnswerLength || this.toolUses > maxToolUses
  }

  private begin(
    index: number,
    block: Extract<RawMessageStreamEvent, { type: 'content_block_start' }>['content_block'],
  ) {
    if (block.type === 'tool_use') this.toolUses += 1
    this.length += JSON.stringify(block).length
    if (block.type === 'text') this.blocks.set(index, { part: { type: 'text', text: block.text }, json: '' })
    else if (block.type === 'tool_use')
      this.blocks.set(index, {
        part: { type: 'tool_use', id: block.id, name: block.name, input: block.input },
        json: '',
      })
    else
      this.blocks.set(index, {
        part: { type: 'reasoning', provider, model: this.model, data: { ...block } },
        json: '',
      })
  }

  private grow(index: number, delta: Extract<RawMessageStreamEvent, { type: 'content_block_delta' }>['delta']): string {
    const block = this.blocks.get(index)
    if (!block) return ''
    const { part } = block
    this.length += lengthOf(delta)
    if (delta.type === 'text_delta' && part.type === 'text') {
      part.text += delta.text
      return delta.text
    }
    if (delta.type === 'input_json_delta') block.json += delta.partial_json
    else if (part.type === 'reasoning') {
      const data = part.data as { thinking?: string; signature?: string }
      if (delta.type === 'thinking_delta') data.thinking = (data.thinking ?? '') + delta.thinking
      if (delta.type === 'signature_delta') data.signature = (data.signature ?? '') + delta.signature
    }
    return ''
  }

  private close(index: number) {
    const block = this.blocks.get(index)
    if (block?.part.type !== 'tool_use' || block.json === '') return
    const input = parseObject(block.json)
    if (input) block.part.input = input
    else Object.assign(block.part, { input: {}, malformed: block.json })
  }

  private count(usage: { [Name in keyof WireUsage]?: number | null }) {
    // `message_delta` repeats the counts cumulatively; what it leaves out stays as it was.
    this.usage = {
      inputTokens: usage.input_tokens ?? this.usage.inputTokens,
      outputTokens: usage.output_tokens ?? this.usage.outputTokens,
      cacheReadTokens: usage.cache_read_input_tokens ?? this.usage.cacheReadTokens,
      cacheWriteTokens: usage.cache_creation_input_tokens ?? this.usage.cacheWriteTokens,
    }
  }

  answer(requested: string): Omit<ModelAnswer, 'attempts'> {
    const parts = [...this.blocks].sort(([a], [b]) => a - b).map(([, block]) => block.part)
    for (const part of parts) if (part.type === 'reasoning') part.model = requested
    return {
      parts,
      text: parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n\n'),
      toolUses: parts.filter((part) => part.type === 'tool_use'),
      stop: this.stop(parts),
      usage: this.usage,
      model: this.model,
      provider,
    }
  }

  private stop(parts: AnswerPart[]): ModelAnswer['stop'] {
    if (this.stopReason === 'max_tokens' || this.stopReason === 'model_context_window_exceeded') return 'length'
    if (this.stopReason === 'refusal') return 'refusal'
    return parts.some((part) => part.type === 'tool_use') ? 'tool' : 'end'
  }
}

function lengthOf(delta: Extract<RawMessageStreamEvent, { type: 'content_block_delta' }>['delta']): number {
  if (delta.type === 'text_delta') return delta.text.length
  if (delta.type === 'input_json_delta') return delta.partial_json.length
  return delta.type === 'thinking_delta' ? delta.thinking.length : 0
}

type WireUsage = Record<
  'input_tokens' | 'output_tokens' | 'cache_read_input_tokens' | 'cache_creation_input_tokens',
  number
>

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    // The model's own text; the caller keeps it as `malformed`.
    return null
  }
}

function retryAfterMs(headers: Headers | undefined): number | undefined {
  const millis = Number(headers?.get('retry-after-ms') ?? Number.NaN)
  if (Number.isFinite(millis)) return Math.max(0, millis)
  const value = headers?.get('retry-after')
  if (!value) return undefined
  const wait = Number.isFinite(Number(value)) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}

/** Says in plain words what went wrong and what to do about it. The provider's own words are quoted, never the key. */
export function toModelError(error: unknown, usage: TokenUsage): ModelCallError {
  if (error instanceof ModelCallError) return error
  const options = { usage, cause: error }
  if (error instanceof APIConnectionError)
    return new ModelCallError(
      'network',
      'The model provider could not be reached. Check the connection, then try again.',
      {
        ...options,
        retryable: true,
      },
    )
  if (!(error instanceof APIError))
    return new ModelCallError(
      'network',
      'The connection to the model broke off in the middle of its answer. Try again.',
      {
        ...options,
        retryable: true,
      },
    )
  const status: number | undefined = error.status
  const said = error.apiMessage ? ` It said: "${error.apiMessage.slice(0, 300)}"` : ''
  const wait = retryAfterMs(error.headers)
  if (error.type === 'billing_error' || status === 402 || /credit balance/i.test(error.apiMessage ?? ''))
    return new ModelCallError(
      'billing',
      `The provider account has no credit left. Top it up, then try again.${said}`,
      options,
    )
  if (status === 401 || status === 403 || error.type === 'authentication_error' || error.type === 'permission_error')
    return new ModelCallError(
      'auth',
      `The model provider refused the key. Check ANTHROPIC_API_KEY in the file .env, then start again.${said}`,
      options,
    )
  if (status === 404)
    return new ModelCallError(
      'model',
      `The provider does not offer this model to your key. Choose another one.${said}`,
      options,
    )
  if (status === 413 || /prompt is too long|context (window|limit|length)/i.test(error.apiMessage ?? ''))
    return new ModelCallError(
      'context',
      `The conversation no longer fits into the model. Start a smaller task, or choose a model with more room.${said}`,
      options,
    )
  if (status === 429 || error.type === 'rate_limit_error')
    return new ModelCallError('rate', `The provider's rate limit is reached. Wait a little, then try again.${said}`, {
      ...options,
      retryable: true,
      retryAfterMs: wait,
    })
  if (status === 408 || status === 409 || (status ?? 500) >= 500)
    return new ModelCallError(
      'overload',
      `The model provider is overloaded or has trouble. Try again in a minute.${said}`,
      {
        ...options,
        retryable: true,
        retryAfterMs: wait,
      },
    )
  return new ModelCallError(
    'request',
    `The model provider refused the request (status ${status}). This is a fault of Guildhall, not of yours.${said}`,
    options,
  )
}

const tooLarge = (usage: TokenUsage) =>
  new ModelCallError(
    'parse',
    `The model answered with more than can be taken: over ${maxAnswerLength / 1_000_000} MB or ${maxToolUses} tool calls at once. Ask for less in one step, or choose another model.`,
    { usage },
  )

/** The official SDK with its own retries off: ours know the deadline, the person's stop and what was streamed. */
export function createAnthropicProvider({
  apiKey,
  baseUrl,
  find,
}: {
  apiKey: string
  baseUrl?: string | null
  find(id: string): CatalogModel
}): ModelProvider {
  const client = new Anthropic({
    apiKey,
    authToken: null,
    baseURL: baseUrl ?? 'https://api.anthropic.com',
    maxRetries: 0,
    logLevel: 'off',
    openTelemetry: false,
    // A redirect would carry the key to another host.
    fetchOptions: { redirect: 'manual' },
  })

  return {
    name: provider,
    async attempt(request, { signal, onText, idleMs }) {
      const assembly = new Assembly(request.model)
      const idle = new AbortController()
      let timer = setTimeout(() => idle.abort(), idleMs)
      try {
        const either = AbortSignal.any([signal, idle.signal])
        const stream = await client.messages.create(toAnthropic(request, find(request.model)), {
          signal: either,
          timeout: 3_600_000, // idle and deadline are ours
        })
        for await (const event of stream) {
          clearTimeout(timer)
          timer = setTimeout(() => idle.abort(), idleMs)
          const text = assembly.take(event)
          if (assembly.isTooLarge) throw tooLarge(assembly.usage)
          if (text !== '' && !signal.aborted) onText(text)
        }
      } catch (error) {
        // An abort of ours is told below; everything else is the provider's or the network's failure.
        if (!signal.aborted && !idle.signal.aborted) throw toModelError(error, assembly.usage)
      } finally {
        clearTimeout(timer)
      }
      const { usage } = assembly
      if (signal.aborted) throw new ModelCallError('cancelled', 'The call was stopped.', { usage })
      if (idle.signal.aborted)
        throw new ModelCallError('idle', `The model sent nothing for ${Math.round(idleMs / 1_000)} s. Try again.`, {
          usage,
          retryable: true,
        })
      if (!assembly.complete)
        throw new ModelCallError('network', 'The model broke off in the middle of its answer. Try again.', {
          usage,
          retryable: true,
        })
      return assembly.answer(request.model)
    },
  }
}
