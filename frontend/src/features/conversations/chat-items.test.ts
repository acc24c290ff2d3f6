import type { ToolStep } from '@guildhall/protocol/agents.ts'
import type { Fact } from '@guildhall/protocol/events.ts'
import type { CheckRun } from '@guildhall/protocol/tasks.ts'
import { describe, expect, test } from 'vitest'
import { agent, at, id, logOf, message, person, sha, task } from '../../testing/log.ts'
import { type ChatItem, chatFold } from './chat-items.ts'

const chatOf = (facts: [number, Fact][]): readonly ChatItem[] => logOf(facts).reduce(chatFold.step, chatFold.initial)

const run = (n: number) => id(100 + n)
const sent = (change: Parameters<typeof message>[0]): Fact => ({
  type: 'message.sent',
  data: { message: message(change) },
})
const toolStep = (runId: never, seq: number, change: Partial<ToolStep> = {}): ToolStep => ({
  runId,
  seq,
  tool: 'read',
  title: `read file${seq}.ts`,
  state: 'begun',
  detail: null,
  figure: null,
  durationMs: null,
  ...change,
})
const begun = (runId: never, seq: number): Fact => ({
  type: 'agent.step.begun',
  data: { step: toolStep(runId, seq), role: 'engineer', taskId: null },
})
const outcome = (runId: never, seq: number) =>
  toolStep(runId, seq, { state: 'done', figure: '12 lines', detail: 'the text', durationMs: 4 })
const finished = (runId: never, seq: number): Fact => ({
  type: 'agent.step.finished',
  data: { step: outcome(runId, seq), role: 'engineer', taskId: null },
})

/** The chat in short: what kind, and for turns what stands in them. */
const outline = (items: readonly ChatItem[]) =>
  items.map((item) =>
    item.kind === 'turn'
      ? [
          item.role,
          ...item.parts.map((part) => (part.kind === 'text' ? part.text : `${part.step.title} ${part.step.state}`)),
        ]
      : item.kind,
  )

describe('the chat as a reading of the log', () => {
  test('what an agent says and does stands in one turn, and a step’s outcome replaces its beginning', () => {
    const items = chatOf([
      [0, sent({ content: 'Build it', sender: person })],
      [1, begun(run(1), 1)],
      [2, finished(run(1), 1)],
      [3, sent({ content: 'It reads well.', sender: agent('engineer'), runId: run(1) })],
      [4, begun(run(1), 2)],
    ])
    expect(outline(items)).toEqual([
      'person',
      ['engineer', 'read file1.ts done', 'It reads well.', 'read file2.ts begun'],
    ])
  })

  test('a finished step carries the number of the event that shows it', () => {
    const [turn] = chatOf([
      [0, begun(run(1), 1)],
      [1, finished(run(1), 1)],
    ])
    expect(turn!.kind === 'turn' && turn!.parts).toEqual([
      { kind: 'tool', id: `${run(1)}.1`, seq: 2, step: outcome(run(1), 1) },
    ])
  })

  test('two agents at once keep a turn each; a person’s word begins new ones', () => {
    const items = chatOf([
      [0, begun(run(1), 1)],
      [1, begun(run(2), 1)],
      [2, finished(run(1), 1)],
      [3, begun(run(1), 2)],
      [4, sent({ content: 'Wait', sender: person })],
      [5, begun(run(1), 3)],
      [6, finished(run(2), 1)],
    ])
    expect(outline(items)).toEqual([
      ['engineer', 'read file1.ts done', 'read file2.ts begun'],
      ['engineer', 'read file1.ts done'],
      'person',
      ['engineer', 'read file3.ts begun'],
    ])
  })

  test('a task’s way to main is told line by line', () => {
    const basket = task({ id: id(50), mergedAs: sha('a'), claims: [{ text: 'It lasts', evidence: [3] }] })
    const checkRun: CheckRun = {
      id: id(51),
      taskId: basket.id,
      stage: 'branch',
      tree: sha('b'),
      passed: false,
      results: [
        {
          criterion: 'All tests pass',
          argv: ['npm', 'test'],
          passed: false,
          exitCode: 1,
          durationMs: 5,
          output: '',
          standing: null,
        },
      ],
      error: null,
      startedAt: at(1),
      endedAt: at(3),
    }
    const items = chatOf([
      [0, { type: 'task.started', data: { task: basket } }],
      [1, { type: 'task.ticked', data: { task: basket } }],
      [2, { type: 'task.finished', data: { task: basket } }],
      [3, { type: 'task.checked', data: { task: basket, checkRun } }],
      [4, { type: 'task.returned', data: { task: basket, reason: 'one check is red' } }],
      [5, { type: 'task.merged', data: { task: basket } }],
    ])
    expect(items.map((item) => item.kind === 'task' && [item.text, item.tone])).toEqual([
      ['Engineer started', 'neutral'],
      ['finished with 1 claim; checks next', 'neutral'],
      ['0 of 1 check pass in a clean container · 2.0 s', 'bad'],
      ['went back to its author: one check is red', 'warn'],
      ['merged into main as aaaaaaa', 'ok'],
    ])
  })

  test('a plan stands where it was handed in, and what it was sent back with stands after it', () => {
    const plan = {
      id: id(60),
      projectId: id(1),
      conversationId: id(700),
      runId: run(1),
      number: 1,
      summary: 'Two steps',
      assumptions: [],
      state: 'in_review',
      version: 1,
      tasks: [],
      approvedBy: null,
      approvedAt: null,
      createdAt: at(0),
    } as const
    const items = chatOf([
      [0, { type: 'plan.submitted', data: { plan: { ...plan, assumptions: [], tasks: [] } } }],
      [
        1,
        { type: 'plan.returned', data: { plan: { ...plan, assumptions: [], tasks: [] }, comment: 'smaller, please' } },
      ],
      [2, { type: 'plan.approved', data: { plan: { ...plan, assumptions: [], tasks: [] } } }],
    ])
    expect(items).toEqual([
      { kind: 'plan', id: 'e1', planId: plan.id },
      { kind: 'note', id: 'e2', at: at(1), text: 'Changes asked for: smaller, please', tone: 'warn' },
    ])
  })

  test('a refused host is one line however often it is tried, and says so itself when it was allowed', () => {
    const refused = (target: string, allow: string | null) =>
      ({ type: 'egress.refused', data: { target, reason: 'not on the list', allow } }) as const
    const host = { allowedBy: null, allowedAt: at(3), sentBytes: 0, receivedBytes: 0, lastUsedAt: null }
    const tried = [
      [0, refused('API.example.com:443', 'api.example.com:443')],
      [1, refused('10.0.0.1:80', null)],
      [2, refused('API.example.com:443', 'api.example.com:443')],
    ] as [number, Fact][]
    const line = { kind: 'refusal', id: 'e1', target: 'API.example.com:443', reason: 'not on the list' }
    const shown = { ...line, allow: 'api.example.com:443', at: at(2) }
    const other = { ...line, id: 'e2', target: '10.0.0.1:80', allow: null, at: at(1), isAllowed: false }
    expect(chatOf(tried)).toEqual([{ ...shown, isAllowed: false }, other])

    const allowed: [number, Fact] = [3, { type: 'egress.allowed', data: { host: { ...host, target: shown.allow } } }]
    expect(chatOf([...tried, allowed])).toEqual([{ ...shown, isAllowed: true }, other])
    const withdrawn: [number, Fact] = [4, { type: 'egress.withdrawn', data: { target: shown.allow } }]
    expect(chatOf([...tried, allowed, withdrawn])).toEqual([
      { ...shown, isAllowed: false },
      other,
      expect.objectContaining({
        kind: 'note',
        text: 'Code in the sandbox may not reach `api.example.com:443` any more.',
      }),
    ])
    expect(chatOf([allowed])).toMatchObject([{ kind: 'note', text: expect.stringContaining('from now on') }])
  })

  test('a disk that fills says so, and names what was stopped without its markdown', () => {
    const disk = (state: 'near' | 'full' | 'ok', gib: number, ended: string[] = []) =>
      ({
        type: 'disk.crossed',
        data: { disk: { state, usedBytes: gib * 1024 ** 3, limitBytes: 5 * 1024 ** 3, ended } },
      }) as const
    const items = chatOf([
      [0, disk('near', 4.1)],
      [1, disk('full', 5.02, ['`dd`', 'npm install'])],
      [2, disk('ok', 1)],
    ])
    expect(items.map((item) => item.kind === 'note' && [item.tone, item.text])).toEqual([
      ['warn', 'The sandbox’s disk is nearly full: 4.1 of 5.0 GiB.'],
      [
        'bad',
        'The sandbox’s disk is full: 5.0 of 5.0 GiB. Nothing is written until something is deleted. Stopped, because it went on writing: `dd`, `npm install`.',
      ],
      ['ok', 'The sandbox’s disk has room again: 1.0 of 5.0 GiB.'],
    ])
  })

  test('nothing that was given is changed', () => {
    const facts = logOf([
      [0, begun(run(1), 1)],
      [1, finished(run(1), 1)],
    ])
    const before = chatFold.step(chatFold.initial, facts[0]!)
    const copy = structuredClone(before)
    chatFold.step(before, facts[1]!)
    expect(before).toEqual(copy)
  })
})
