import type { ModelInfo, TokenUsage } from '@guildhall/protocol/llm.ts'

export type TextPart = { type: 'text'; text: string }

/**
 * A call of a tool. `malformed` holds the raw text when the model's arguments were no JSON object; `input` is then
 * `{}` and must not be run: answer it with a refusal that quotes what came.
 */
export type ToolUsePart = { type: 'tool_use'; id: string; name: string; input: unknown; malformed?: string }

/**
 * What a provider wants back unchanged in the next request (Anthropic: signed thinking). Nobody but the adapter
 * that made it looks inside; one made by another model is left out of the request.
 */
export type ReasoningPart = { type: 'reasoning'; provider: string; model: string; data: unknown }

export type ToolResultPart = { type: 'tool_result'; toolUseId: string; text: string; isError: boolean }

export type AnswerPart = TextPart | ToolUsePart | ReasoningPart

export type ModelMessage =
  { role: 'user'; content: (TextPart | ToolResultPart)[] } | { role: 'assistant'; content: AnswerPart[] }

export type ModelTool = { name: string; description: string; inputSchema: object }

export type ModelRequest = {
  model: string
  system: string
  messages: ModelMessage[]
  tools: ModelTool[]
  /** Reasoning counts towards it, so leave room. Cut to what the model can give. */
  maxTokens: number
}

/**
 * `parts` is the answer as it came, in order: store it and send exactly that back as the assistant's message.
 * `text` and `toolUses` are readings of it. `usage` sums every try of this call, also those that broke off.
 */
export type ModelAnswer = {
  text: string
  toolUses: ToolUsePart[]
  parts: AnswerPart[]
  stop: 'end' | 'tool' | 'length' | 'refusal'
  usage: TokenUsage
  model: string
  provider: string
  attempts: number
}

export type StreamOptions = {
  signal: AbortSignal
  onText(text: string): void
  /** The stream broke and the call begins again: text streamed so far is void. */
  onRestart?(): void
}

export type CallPrices = ModelInfo['prices'] & {
  /** Other rates for the whole call when its prompt (input + cache) is longer than this. */
  longPrompt?: { overTokens: number; input: string; output: string; cacheRead: string; cacheWrite: string }
}

/** One try of one call. What it throws is a `ModelCallError`; it never retries. */
export interface ModelProvider {
  readonly name: string
  attempt(
    request: ModelRequest,
    options: { signal: AbortSignal; onText(text: string): void; idleMs: number },
  ): Promise<Omit<ModelAnswer, 'attempts'>>
}
