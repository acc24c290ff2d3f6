import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Fault, Reply, Scenario, Scene } from './scenarios/scenario.ts'
import {
  blocksOf,
  complaint,
  eventsOf,
  frame,
  readScene,
  signatureOf,
  stopReason,
  systemText,
  tokensOf,
  WireRequest,
  type WireUsage,
} from './scenarios/wire.ts'

/** One request as it came and what became of it. `told` is the usage that reached the client, null when none did. */
export type WireEntry = {
  path: string
  headers: Record<string, string | string[] | undefined>
  body: unknown
  scene: Scene | null
  fault: Fault | null
  status: number
  outcome: 'open' | 'answered' | 'broken' | 'left'
  told: WireUsage | null
}

export type ModelServer = {
  baseUrl: string
  /** Every request since the start, oldest first (the last 2,000). */
  wire: WireEntry[]
  close(): Promise<void>
}

const errorTypes: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function refuse(response: ServerResponse, status: number, message: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ type: 'error', error: { type: errorTypes[status] ?? 'api_error', message } })
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
}

/** API version 2026-10-21 takes the key as a bearer; the older header still works. */
const keyOf = ({ headers }: IncomingMessage) =>
  headers.authorization?.replace(/^Bearer /, '') ?? headers['x-api-key']?.toString()

const nothingMore = (scene: Scene): Reply => ({
  text: `The rehearsal has no more lines here (${scene.role}, task ${scene.task ?? '-'}, step ${scene.step}). It is a script, not a model.`,
})

/**
 * Plays a scenario over the Anthropic Messages format on a loopback port. Requests are checked as strictly as the
 * provider does it (order of roles, results for every tool call, signed reasoning given back). Scripts are routed by
 * the first line of the system text, `role · task · run`.
 */
export async function startModelServer({
  scenario,
  port = 0,
  delayMs = 0,
  apiKey,
}: {
  scenario: Scenario
  port?: number
  /** Between two events of a stream. */
  delayMs?: number
  /** With it, any other key is refused. */
  apiKey?: string
}): Promise<ModelServer> {
  const wire: WireEntry[] = []
  const rounds = new Map<string, string[]>()
  const attempts = new Map<string, number>()
  const cached = new Map<string, number>()
  /** The signature that stood before a tool call, by the call's id. */
  const reasoned = new Map<string, string>()
  let messageCount = 0

  function setScene(request: WireRequest): Scene {
    const read = readScene(request)
    const key = `${read.role}:${read.task}`
    const runs = [...new Set([...(rounds.get(key) ?? []), read.runId])].sort()
    rounds.set(key, runs)
    const step = `${read.runId}:${read.step}`
    const attempt = (attempts.get(step) ?? 0) + 1
    attempts.set(step, attempt)
    return { ...read, round: runs.indexOf(read.runId) + 1, attempt }
  }

  /** Counts as the provider would: what an earlier call of the run cached is read, the rest is written to the cache. */
  function usageOf(request: WireRequest, scene: Scene, reply: Reply): WireUsage {
    const prompt = tokensOf(systemText(request) + JSON.stringify([request.tools, request.messages]))
    const output_tokens = tokensOf(JSON.stringify(blocksOf(reply)))
    const caches = typeof request.system !== 'string' && request.system.some((block) => block.cache_control)
    if (!caches)
      return { input_tokens: prompt, output_tokens, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }
    const before = Math.min(cached.get(scene.runId) ?? 0, prompt)
    cached.set(scene.runId, prompt)
    const input_tokens = Math.min(4, prompt - before)
    return {
      input_tokens,
      output_tokens,
      cache_read_input_tokens: before,
      cache_creation_input_tokens: prompt - before - input_tokens,
    }
  }

  /** Signed reasoning must come back unchanged, and with the tool calls it led to. */
  function reasoningComplaint(request: WireRequest): string | null {
    for (const { content } of request.messages) {
      const signatures = content.flatMap((block) => (block.type === 'thinking' ? [block.signature] : []))
      for (const block of content) {
        if (block.type === 'thinking' && block.signature !== signatureOf(block.thinking))
          return 'thinking blocks cannot be modified'
        const before = block.type === 'tool_use' ? reasoned.get(block.id) : undefined
        if (before && !signatures.includes(before)) return 'the thinking block before a tool_use must be passed back'
      }
    }
    return null
  }

  async function stream(
    response: ServerResponse,
    entry: WireEntry,
    reply: Reply,
    request: WireRequest,
    usage: WireUsage,
  ) {
    const { fault } = entry
    const id = `msg_rehearsal_${++messageCount}`
    let events = eventsOf(reply, { id, model: request.model, usage })
    for (const { data } of events) {
      const block = data.content_block as { type?: string; id?: string } | undefined
      if (reply.thinking && block?.type === 'tool_use') reasoned.set(block.id!, signatureOf(reply.thinking))
    }
    if (fault?.kind === 'event') {
      const error = { event: 'error', data: { type: 'error', error: { type: fault.type, message: 'scripted' } } }
      events = [...events.slice(0, fault.afterEvents), error]
    }
    const limit = fault?.kind === 'cut' || fault?.kind === 'silence' ? fault.afterBytes : Number.POSITIVE_INFINITY
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
    response.flushHeaders()
    let sent = 0
    for (const event of events) {
      if (response.closed) return
      const bytes = Buffer.from(frame(event))
      const part = bytes.subarray(0, Math.max(0, limit - sent))
      sent += part.length
      if (part.length > 0) await new Promise<void>((resolve) => response.write(part, () => resolve()))
      if (part.length < bytes.length) break
      if (event.event === 'message_start') entry.told = { ...usage, output_tokens: 1 }
      if (event.event === 'message_delta') entry.told = usage
      if (delayMs > 0) await wait(delayMs)
    }
    if (fault?.kind === 'silence') return
    if (fault?.kind === 'cut' && !fault.clean) {
      entry.outcome = 'broken'
      response.destroy()
      return
    }
    entry.outcome = fault ? 'broken' : 'answered'
    response.end()
  }

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const entry: WireEntry = {
      path: request.url ?? '',
      headers: request.headers,
      body: null,
      scene: null,
      fault: null,
      status: 200,
      outcome: 'open',
      told: null,
    }
    wire.push(entry)
    if (wire.length > 2_000) wire.shift()
    response.on('close', () => {
      if (entry.outcome === 'open') entry.outcome = 'left'
    })
    const refuseWith = (status: number, message: string, headers?: Record<string, string>) => {
      entry.status = status
      entry.outcome = 'answered'
      refuse(response, status, message, headers)
    }

    const text = await bodyOf(request)
    if (request.method !== 'POST' || entry.path.split('?')[0] !== '/v1/messages')
      return refuseWith(404, 'no such address')
    const key = keyOf(request)
    if (!key || (apiKey && key !== apiKey)) return refuseWith(401, 'invalid API key')
    if (!request.headers['anthropic-version']) return refuseWith(400, 'anthropic-version: header is required')
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      return refuseWith(400, 'the body is not JSON')
    }
    entry.body = json
    const parsed = WireRequest.safeParse(json)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!
      return refuseWith(400, `${issue.path.join('.')}: ${issue.message}`)
    }
    const wrong = complaint(parsed.data) ?? reasoningComplaint(parsed.data)
    if (wrong) return refuseWith(400, wrong)

    const scene = setScene(parsed.data)
    entry.scene = scene
    const reply = scenario.answer(scene) ?? nothingMore(scene)
    const fault = reply.faults?.[scene.attempt - 1] ?? null
    entry.fault = fault
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'reset') {
      entry.outcome = 'broken'
      request.socket.destroy()
      return
    }
    if (fault?.kind === 'status') {
      const headers: Record<string, string> =
        fault.retryAfterS === undefined ? {} : { 'retry-after': String(fault.retryAfterS) }
      return refuseWith(fault.status, fault.message ?? 'scripted', headers)
    }
    if (fault?.kind === 'garbage') {
      entry.outcome = 'broken'
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>not the API</body></html>')
      return
    }
    const usage = usageOf(parsed.data, scene, reply)
    if (parsed.data.stream) return stream(response, entry, reply, parsed.data, usage)
    entry.told = usage
    entry.outcome = 'answered'
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        id: `msg_rehearsal_${++messageCount}`,
        type: 'message',
        role: 'assistant',
        model: parsed.data.model,
        content: blocksOf(reply),
        stop_reason: stopReason(reply),
        stop_sequence: null,
        usage,
      }),
    )
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // A fault of the script: told to the client as the provider tells its own.
      if (response.headersSent) response.destroy()
      else refuse(response, 500, error instanceof Error ? error.message : String(error))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const { port: bound } = server.address() as AddressInfo

  return {
    baseUrl: `http://127.0.0.1:${bound}`,
    wire,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
    },
  }
}
