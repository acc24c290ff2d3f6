import { setTimeout as wait } from 'node:timers/promises'
import { Writable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { createLog } from '../../platform/log.ts'
import { type ModelServer, startModelServer } from '../../testing/model-server.ts'
import type { Fault, Reply, Scenario } from '../../testing/scenarios/scenario.ts'
import { eventsOf, frame } from '../../testing/scenarios/wire.ts'
import { ModelCallError } from './errors.ts'
import { type CallLimits, createLlmService, type ModelMessage, type ModelRequest } from './service.ts'

const key = 'sk-ant-planted-4711-never-in-a-log'
const quick: Partial<CallLimits> = { baseDelayMs: 1, maxDelayMs: 4, idleMs: 400, deadlineMs: 10_000 }
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const saying = (reply: Reply): Scenario => ({ name: 'test', answer: () => reply })

async function setUp(scenario: Scenario, limits: Partial<CallLimits> = {}, apiKey = key) {
  const server = await startModelServer({ scenario, apiKey: key })
  closing.push(() => server.close())
  let logged = ''
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged += chunk.toString()
      done()
    },
  })
  const log = createLog({ level: 'trace', destination })
  const config = { anthropic: { apiKey, baseUrl: server.baseUrl } }
  return { server, llm: createLlmService({ config, log, limits: { ...quick, ...limits } }), logged: () => logged }
}

const ask = (over: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'claude-sonnet-5-5',
  system: 'engineer · banner · 0199\n\nYou are an engineer.',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Please begin.' }] }],
  tools: [
    {
      name: 'read',
      description: 'Reads a file',
      inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
    },
  ],
  maxTokens: 2_000,
  ...over,
})

/** Streams, keeping what a reader of the screen would see: a restart voids the text so far. */
async function call(
  llm: Awaited<ReturnType<typeof setUp>>['llm'],
  request = ask(),
  signal = new AbortController().signal,
) {
  let shown = ''
  let restarts = 0
  const answer = await llm.stream(request, {
    signal,
    onText: (text) => {
      shown += text
    },
    onRestart: () => {
      shown = ''
      restarts++
    },
  })
  return { answer, shown, restarts }
}

const failureOf = async (promise: Promise<unknown>): Promise<ModelCallError> => {
  const error: unknown = await promise.then(
    () => new Error('it was expected to fail'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ModelCallError)
  return error as ModelCallError
}

const told = (server: ModelServer) => {
  const sum = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }
  for (const entry of server.wire) {
    sum.inputTokens += entry.told?.input_tokens ?? 0
    sum.outputTokens += entry.told?.output_tokens ?? 0
    sum.cacheReadTokens += entry.told?.cache_read_input_tokens ?? 0
    sum.cacheWriteTokens += entry.told?.cache_creation_input_tokens ?? 0
  }
  return sum
}

describe('an answer', () => {
  test('streams its text and comes whole, with tool calls and usage', async () => {
    const reply = {
      text: 'I look at the file first, then I change it.',
      tools: [
        { name: 'read', input: { path: 'src/content.ts' } },
        { name: 'read', input: { path: 'ünïcode "quoted" \\ path.ts', nested: [1, { a: null }] } },
      ],
    }
    const { llm, server } = await setUp(saying(reply))
    const { answer, shown } = await call(llm)
    expect(shown).toBe(reply.text)
    expect(answer).toMatchObject({ text: reply.text, stop: 'tool', attempts: 1, provider: 'anthropic' })
    expect(answer.toolUses.map(({ name, input }) => ({ name, input }))).toEqual(reply.tools)
    expect(answer.parts.map((part) => part.type)).toEqual(['text', 'tool_use', 'tool_use'])
    expect(answer.usage).toEqual(told(server))
  })

  test('says why it stopped', async () => {
    for (const [reply, stop] of [
      [{ text: 'done' }, 'end'],
      [{ text: 'cut', stop: 'max_tokens' }, 'length'],
      [{ text: 'no', stop: 'refusal' }, 'refusal'],
    ] as [Reply, string][]) {
      const { llm } = await setUp(saying(reply))
      expect((await call(llm)).answer.stop).toBe(stop)
    }
  })

  test('a call whose arguments are no JSON object is marked, kept as it came, and can be answered', async () => {
    const raws = ['{"path": "src/a.ts"', '[1,2]', '"text"', '{"path": }', 'null']
    const scenario: Scenario = {
      name: 'malformed',
      answer: ({ step }) =>
        step === 0 ? { tools: raws.map((raw) => ({ name: 'read', input: {}, raw })) } : { text: 'I see.' },
    }
    const { llm } = await setUp(scenario)
    const { answer } = await call(llm)
    expect(answer.toolUses.map(({ input, malformed }) => ({ input, malformed }))).toEqual(
      raws.map((raw) => ({ input: {}, malformed: raw })),
    )
    const messages: ModelMessage[] = [
      ...ask().messages,
      { role: 'assistant', content: answer.parts },
      {
        role: 'user',
        content: answer.toolUses.map((use) => ({
          type: 'tool_result' as const,
          toolUseId: use.id,
          text: 'These arguments are not JSON.',
          isError: true,
        })),
      },
    ]
    expect((await call(llm, ask({ messages }))).answer.text).toBe('I see.')
  })

  test('signed reasoning goes back unchanged with its tool call, and not to another model', async () => {
    const scenario: Scenario = {
      name: 'thinking',
      answer: ({ step }) =>
        step === 0
          ? {
              thinking: 'First I read, then I decide.',
              text: 'Reading.',
              tools: [{ name: 'read', input: { path: 'a' } }],
            }
          : { text: 'Decided.' },
    }
    const { llm, server } = await setUp(scenario)
    const { answer } = await call(llm)
    expect(answer.parts.map((part) => part.type)).toEqual(['reasoning', 'text', 'tool_use'])
    expect(answer.text).toBe('Reading.')
    // What is stored as JSON between two steps must be enough.
    const parts = JSON.parse(JSON.stringify(answer.parts)) as typeof answer.parts
    const results = [{ type: 'tool_result' as const, toolUseId: answer.toolUses[0]!.id, text: '', isError: false }]
    const messages: ModelMessage[] = [
      ...ask().messages,
      { role: 'assistant', content: parts },
      { role: 'user', content: results },
    ]
    expect((await call(llm, ask({ messages }))).answer.text).toBe('Decided.')
    const failure = await failureOf(call(llm, ask({ messages, model: 'claude-opus-5-5' })))
    expect(failure.message).toMatch(/thinking block before a tool_use/) // it was left out, as it must be
    expect(JSON.stringify(server.wire.at(-1)?.body)).not.toContain('First I read')
  })
})

describe('the wire', () => {
  test('carries key, version and cache marks on the system text and the last two user turns', async () => {
    const { llm, server } = await setUp(saying({ text: 'ok' }))
    const messages: ModelMessage[] = [
      ...ask().messages,
      { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'read', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', toolUseId: 'toolu_1', text: 'x', isError: true }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: '' },
          { type: 'text', text: 'hm' },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'go on' },
          { type: 'text', text: 'please' },
        ],
      },
    ]
    await call(llm, ask({ messages, maxTokens: 9_999_999 }))
    const { headers, body, path } = server.wire[0]!
    expect({
      path,
      key: headers.authorization,
      version: headers['anthropic-version'],
    }).toEqual({
      path: '/v1/messages',
      key: `Bearer ${key}`,
      version: '2026-10-21',
    })
    const cache_control = { type: 'ephemeral' }
    expect(body).toEqual({
      model: 'claude-sonnet-5-5',
      max_tokens: 128_000,
      stream: true,
      thinking: { type: 'adaptive', display: 'summarized' },
      system: [{ type: 'text', text: ask().system, cache_control }],
      tools: [{ name: 'read', description: 'Reads a file', input_schema: ask().tools[0]!.inputSchema }],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Please begin.' }] },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'read', input: {} }] },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'toolu_1',
              is_error: true,
              content: [{ type: 'text', text: 'x' }],
              cache_control,
            },
          ],
        },
        { role: 'assistant', content: [{ type: 'text', text: 'hm' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'go on' },
            { type: 'text', text: 'please', cache_control },
          ],
        },
      ],
    })
  })

  test('cached tokens of a second step are counted as read', async () => {
    const { llm } = await setUp(saying({ text: 'ok' }))
    const first = (await call(llm)).answer
    const messages: ModelMessage[] = [
      ...ask().messages,
      { role: 'assistant', content: first.parts },
      { role: 'user', content: [{ type: 'text', text: 'and?' }] },
    ]
    const second = (await call(llm, ask({ messages }))).answer
    expect(first.usage).toMatchObject({ cacheReadTokens: 0 })
    expect(second.usage.cacheReadTokens).toBe(first.usage.inputTokens + first.usage.cacheWriteTokens)
  })
})

describe('trying again', () => {
  const cases: [string, (Fault | null)[], number][] = [
    ['408', [{ kind: 'status', status: 408 }], 2],
    ['409', [{ kind: 'status', status: 409 }], 2],
    [
      '429 twice',
      [
        { kind: 'status', status: 429 },
        { kind: 'status', status: 429 },
      ],
      3,
    ],
    ['500', [{ kind: 'status', status: 500 }], 2],
    ['529 three times', Array.from({ length: 3 }, (): Fault => ({ kind: 'status', status: 529 })), 4],
    ['a connection that breaks', [{ kind: 'reset' }], 2],
    ['a page that is not the API', [{ kind: 'garbage' }], 2],
    ['an overload told in the stream', [{ kind: 'event', type: 'overloaded_error', afterEvents: 6 }], 2],
    ['a stream that falls silent', [{ kind: 'silence', afterBytes: 900 }], 2],
    ['a provider that takes the request and never answers', [{ kind: 'hang' }], 2],
  ]
  test.each(cases)('%s is tried again, and the answer is whole', async (_name, faults, tries) => {
    const { llm, server } = await setUp(saying({ text: 'It worked in the end, after all.', faults }))
    const { answer, shown } = await call(llm)
    expect(shown).toBe('It worked in the end, after all.')
    expect({ attempts: answer.attempts, requests: server.wire.length }).toEqual({ attempts: tries, requests: tries })
    expect(answer.usage).toEqual(told(server))
  })

  test.each([
    [400, 'request', 'bad_request', /fault of Guildhall/],
    [401, 'auth', 'no_model', /ANTHROPIC_API_KEY/],
    [402, 'billing', 'no_model', /no credit/],
    [403, 'auth', 'no_model', /refused the key/],
    [404, 'model', 'no_model', /another one/],
    [413, 'context', 'payload_too_large', /no longer fits/],
  ] as const)('status %i is sent once and told in plain words', async (status, kind, code, words) => {
    const { llm, server } = await setUp(saying({ text: 'x', faults: [{ kind: 'status', status }, null] }))
    const failure = await failureOf(call(llm))
    expect({ kind: failure.kind, code: failure.code, requests: server.wire.length }).toEqual({
      kind,
      code,
      requests: 1,
    })
    expect(failure.message).toMatch(words)
  })

  test('the provider’s word for a prompt that is too long is understood at status 400', async () => {
    const fault: Fault = {
      kind: 'status',
      status: 400,
      message: 'prompt is too long: 1200000 tokens > 1000000 maximum',
    }
    const { llm } = await setUp(saying({ text: 'x', faults: [fault] }))
    expect(await failureOf(call(llm))).toMatchObject({ kind: 'context', code: 'payload_too_large' })
  })

  test('it ends after the allowed tries with what the provider said', async () => {
    const faults = Array.from({ length: 9 }, (): Fault => ({ kind: 'status', status: 529 }))
    const { llm, server } = await setUp(saying({ text: 'x', faults }), { attempts: 3 })
    const failure = await failureOf(call(llm))
    expect(failure).toMatchObject({ kind: 'overload', code: 'unavailable', attempts: 3 })
    expect(server.wire).toHaveLength(3)
  })

  test('retry-after is waited for, and told instead when it is longer than the cap', async () => {
    const once = (retryAfterS: number) => saying({ text: 'x', faults: [{ kind: 'status', status: 429, retryAfterS }] })
    const patient = await setUp(once(1))
    const startedAt = Date.now()
    await call(patient.llm)
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(950)
    const hasty = await setUp(once(600))
    expect(await failureOf(call(hasty.llm))).toMatchObject({ kind: 'rate', code: 'rate_limited', retryAfterS: 600 })
    expect(hasty.server.wire).toHaveLength(1)
  })

  test('the total deadline holds over all tries', async () => {
    const faults = Array.from({ length: 9 }, (): Fault => ({ kind: 'hang' }))
    const { llm } = await setUp(saying({ text: 'x', faults }), { idleMs: 300, deadlineMs: 800, attempts: 9 })
    const startedAt = Date.now()
    expect((await failureOf(call(llm))).code).toBe('unavailable')
    expect(Date.now() - startedAt).toBeLessThan(1_500)
  })

  test('nothing listening is told as a connection problem', async () => {
    const { llm, server } = await setUp(saying({ text: 'x' }))
    await server.close()
    closing.length = 0
    expect(await failureOf(call(llm))).toMatchObject({ kind: 'network', code: 'unavailable', attempts: 5 })
  })
})

test('an answer that is larger than any model writes ends at once, is told and not asked for again', async () => {
  const tools = Array.from({ length: 10_000 }, (_, n) => ({ name: 'read', input: { path: `no/${n}` } }))
  const flood: Reply[] = [
    { text: 'x'.repeat(5_000_000) },
    { text: 'Many.', tools },
    { tools: [{ name: 'write', input: { path: 'a', content: 'y'.repeat(5_000_000) } }] },
  ]
  for (const reply of flood) {
    const { server, llm } = await setUp(saying(reply), { idleMs: 10_000 })
    const error = await call(llm).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'parse', attempts: 1, retryable: false })
    expect((error as Error).message).toMatch(/more than can be taken/)
    await expect.poll(() => server.wire.map(({ outcome }) => outcome)).not.toContain('open')
    expect(server.wire).toHaveLength(1)
  }
})

test('a stream cut at any byte is discarded, told and made whole by the next try; usage sums what was counted', async () => {
  const reply: Reply = {
    text: 'Grüße – a banner, please.',
    tools: [{ name: 'read', input: { path: 'src/content.ts', note: '“quotes” and \\ back' } }],
  }
  const usage = { input_tokens: 4, output_tokens: 44, cache_read_input_tokens: 0, cache_creation_input_tokens: 55 }
  const bytes = eventsOf(reply, { id: 'm', model: 'claude-sonnet-5-5', usage }).map(frame).join('')
  const total = Buffer.byteLength(bytes)
  const positions = Array.from({ length: 97 }, (_, index) => Math.floor((index * (total - 40)) / 96))
  let cut: Fault = { kind: 'cut', afterBytes: 0 }
  const { llm, server } = await setUp({ name: 'cuts', answer: () => ({ ...reply, faults: [cut] }) })
  for (const [index, afterBytes] of positions.entries()) {
    cut = { kind: 'cut', afterBytes, clean: index % 2 === 1 }
    const before = server.wire.length
    const { answer, shown } = await call(llm, ask({ system: `engineer · banner · cut-${index}\n\nx` }))
    expect(shown, `cut after ${afterBytes} of ${total} bytes`).toBe(reply.text)
    expect(answer.toolUses.map((use) => use.input)).toEqual([reply.tools![0]!.input])
    expect(answer.attempts).toBe(2)
    expect(answer.usage).toEqual(told({ ...server, wire: server.wire.slice(before) }))
  }
})

describe('stopping', () => {
  test('a stop in the middle of the stream ends the call and the request at once', async () => {
    const server = await startModelServer({ scenario: saying({ text: 'a long story '.repeat(200) }), delayMs: 20 })
    closing.push(() => server.close())
    const llm = createLlmService({
      config: { anthropic: { apiKey: key, baseUrl: server.baseUrl } },
      log: createLog({ level: 'silent' }),
    })
    const stop = new AbortController()
    const texts: string[] = []
    const running = llm.stream(ask(), { signal: stop.signal, onText: (text) => texts.push(text) })
    while (texts.length < 3) await wait(5)
    stop.abort()
    const seen = texts.length
    const startedAt = Date.now()
    const failure = await failureOf(running)
    expect(Date.now() - startedAt).toBeLessThan(500)
    expect(failure).toMatchObject({ kind: 'cancelled', code: 'gone' })
    expect(failure.usage.outputTokens).toBe(1)
    await wait(100)
    expect(texts).toHaveLength(seen)
    expect(server.wire.map((entry) => entry.outcome)).toEqual(['left'])
  })

  test('a stop before the first byte, and one while waiting for the next try, send nothing more', async () => {
    const before = await setUp(saying({ text: 'x', faults: [{ kind: 'hang' }] }), { idleMs: 60_000 })
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 100)
    expect((await failureOf(call(before.llm, ask(), stop.signal))).kind).toBe('cancelled')

    const faults = Array.from({ length: 5 }, (): Fault => ({ kind: 'status', status: 529 }))
    const waiting = await setUp(saying({ text: 'x', faults }), {
      baseDelayMs: 60_000,
      maxDelayMs: 60_000,
      deadlineMs: 600_000,
    })
    const later = new AbortController()
    setTimeout(() => later.abort(), 100)
    const startedAt = Date.now()
    expect((await failureOf(call(waiting.llm, ask(), later.signal))).kind).toBe('cancelled')
    expect(Date.now() - startedAt).toBeLessThan(1_000)
    expect(waiting.server.wire).toHaveLength(1)
  })
})

test('the key is in no log line, no error and no cause, whatever fails', async () => {
  for (const fault of [
    { kind: 'status', status: 401 },
    { kind: 'status', status: 529 },
    { kind: 'reset' },
    { kind: 'garbage' },
    { kind: 'silence', afterBytes: 100 },
  ] satisfies Fault[]) {
    const faults = Array.from({ length: 5 }, () => fault)
    const { llm, logged } = await setUp(saying({ text: 'x', faults }), { idleMs: 50 })
    const failure = await failureOf(call(llm))
    const { inspect } = await import('node:util')
    const everything = inspect(failure, { depth: 12, showHidden: true }) + JSON.stringify(failure) + logged()
    expect(everything).not.toContain(key)
  }
  const wrong = await setUp(saying({ text: 'x' }), {}, 'sk-ant-wrong-key-0815')
  const failure = await failureOf(call(wrong.llm))
  expect(failure.kind).toBe('auth')
  expect(failure.message + wrong.logged()).not.toContain('0815')
})
