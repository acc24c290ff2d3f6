import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { PlayedTool, Reply, Scene } from './scenario.ts'

/** Anthropic's Messages format as the model server speaks it: requests read strictly, answers written event by event. */

const CacheControl = z.object({ type: z.literal('ephemeral') }).optional()
const Text = z.object({ type: z.literal('text'), text: z.string().min(1), cache_control: CacheControl })
const ToolResult = z.object({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(Text)]).default(''),
  is_error: z.boolean().optional(),
  cache_control: CacheControl,
})
const ToolUse = z.object({
  type: z.literal('tool_use'),
  id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
})
const Thinking = z.object({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() })
const asList = <Block extends z.ZodType>(block: Block) =>
  z.union([
    z
      .string()
      .min(1)
      .transform((text) => [{ type: 'text' as const, text }]),
    z.array(block),
  ])

export const WireRequest = z.object({
  model: z.string().min(1),
  max_tokens: z.int().min(1),
  stream: z.boolean().default(false),
  system: z.union([z.string(), z.array(Text)]).default(''),
  messages: z
    .array(
      z.discriminatedUnion('role', [
        z.object({ role: z.literal('user'), content: asList(z.union([Text, ToolResult])) }),
        z.object({ role: z.literal('assistant'), content: asList(z.union([Text, ToolUse, Thinking])) }),
      ]),
    )
    .min(1),
  tools: z
    .array(
      z.object({
        name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/),
        description: z.string().optional(),
        input_schema: z.looseObject({ type: z.literal('object') }),
      }),
    )
    .default([]),
  thinking: z.looseObject({ type: z.string() }).optional(),
})
export type WireRequest = z.infer<typeof WireRequest>

export const systemText = (request: WireRequest): string =>
  typeof request.system === 'string' ? request.system : request.system.map((block) => block.text).join('\n')

/** What the provider refuses with 400; null when the conversation is in order. */
export function complaint(request: WireRequest): string | null {
  const seen = new Set<string>()
  for (const [index, message] of request.messages.entries()) {
    if (message.content.length === 0) return `messages.${index}: must not be empty`
    if (message.role !== (index % 2 === 0 ? 'user' : 'assistant')) return `messages.${index}: roles must alternate`
    if (message.role === 'assistant') continue
    const before = request.messages[index - 1]
    const asked = before?.content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : [])) ?? []
    const answered = message.content.flatMap((block) => (block.type === 'tool_result' ? [block.tool_use_id] : []))
    for (const id of asked) if (!answered.includes(id)) return `tool_use ${id} has no tool_result in the next message`
    for (const id of answered) {
      if (!asked.includes(id)) return `tool_result ${id} has no tool_use in the previous message`
      if (seen.has(id)) return `tool_result ${id} comes twice`
      seen.add(id)
    }
  }
  if (request.messages.at(-1)?.role === 'assistant') return 'this model does not support prefill'
  return null
}

const resultText = (content: z.infer<typeof ToolResult>['content']) =>
  typeof content === 'string' ? content : content.map((block) => block.text).join('\n')

/** What the script may look at, from the request alone (round and attempt are the server's). */
export function readScene(request: WireRequest): Omit<Scene, 'round' | 'attempt'> {
  const system = systemText(request)
  const [role = '', task = '-', runId = ''] = system.split('\n', 1)[0]!.split(' · ')
  const calls = new Map<string, { name: string; input: unknown }>()
  const played: PlayedTool[] = []
  const said: string[] = []
  for (const message of request.messages)
    for (const block of message.content) {
      if (block.type === 'tool_use') calls.set(block.id, block)
      else if (block.type === 'text' && message.role === 'user') said.push(block.text)
      else if (block.type === 'tool_result') {
        const call = calls.get(block.tool_use_id)
        const result = resultText(block.content)
        const event = /^\[ev (\d+)\]/.exec(result)?.[1]
        played.push({
          name: call?.name ?? '?',
          input: call?.input,
          result,
          isError: block.is_error ?? false,
          event: event ? Number(event) : null,
        })
      }
    }
  return {
    role: role.trim(),
    task: task.trim() === '-' ? null : task.trim(),
    runId: runId.trim(),
    step: request.messages.filter((message) => message.role === 'assistant').length,
    system,
    said,
    played,
    tools: request.tools.map((tool) => tool.name),
  }
}

export type WireUsage = {
  input_tokens: number
  output_tokens: number
  cache_read_input_tokens: number
  cache_creation_input_tokens: number
}

export type WireEvent = { event: string; data: Record<string, unknown> }

/** Pieces of at most `size` characters, cut after spaces where there are any. */
function pieces(text: string, size: number): string[] {
  return text.match(new RegExp(`[^]{1,${size}}(?:(?<=\\s)|(?=\\s)|$)|[^]{1,${size}}`, 'g')) ?? []
}

export const signatureOf = (thinking: string) => Buffer.from(`signed:${thinking}`).toString('base64')

export const stopReason = (reply: Reply): string => reply.stop ?? (reply.tools?.length ? 'tool_use' : 'end_turn')

/** Length of the answer in tokens, at four characters a token. */
export const tokensOf = (text: string) => Math.ceil(text.length / 4)

type Content = Record<string, unknown> & { type: string }

/** The answer's blocks, whole. */
export function blocksOf(reply: Reply): Content[] {
  return [
    ...(reply.thinking ? [{ type: 'thinking', thinking: reply.thinking, signature: signatureOf(reply.thinking) }] : []),
    ...(reply.text ? [{ type: 'text', text: reply.text }] : []),
    ...(reply.tools ?? []).map(({ name, input, raw }) => ({
      type: 'tool_use',
      id: `toolu_${randomUUID().replaceAll('-', '')}`,
      name,
      input: raw === undefined ? input : {},
    })),
  ]
}

/** The answer as the provider streams it. */
export function eventsOf(
  reply: Reply,
  { id, model, usage }: { id: string; model: string; usage: WireUsage },
): WireEvent[] {
  const events: WireEvent[] = []
  const say = (event: string, data: Record<string, unknown>) => events.push({ event, data: { type: event, ...data } })
  const raws = [...(reply.tools ?? [])]
  say('message_start', {
    message: {
      id,
      type: 'message',
      role: 'assistant',
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...usage, output_tokens: 1 },
    },
  })
  say('ping', {})
  for (const [index, block] of blocksOf(reply).entries()) {
    const delta = (data: Record<string, unknown>) => say('content_block_delta', { index, delta: data })
    if (block.type === 'thinking') {
      say('content_block_start', { index, content_block: { type: 'thinking', thinking: '', signature: '' } })
      for (const thinking of pieces(String(block.thinking), 24)) delta({ type: 'thinking_delta', thinking })
      delta({ type: 'signature_delta', signature: block.signature })
    } else if (block.type === 'text') {
      say('content_block_start', { index, content_block: { type: 'text', text: '' } })
      for (const text of pieces(String(block.text), 12)) delta({ type: 'text_delta', text })
    } else {
      say('content_block_start', { index, content_block: { ...block, input: {} } })
      const json = raws.shift()?.raw ?? JSON.stringify(block.input)
      for (const partial_json of json.match(/[^]{1,48}/g) ?? []) delta({ type: 'input_json_delta', partial_json })
    }
    say('content_block_stop', { index })
  }
  say('message_delta', { delta: { stop_reason: stopReason(reply), stop_sequence: null }, usage })
  say('message_stop', {})
  return events
}

export const frame = ({ event, data }: WireEvent): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
