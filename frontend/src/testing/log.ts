import type { Event, Fact } from '@guildhall/protocol/events.ts'
import type { Message } from '@guildhall/protocol/conversations.ts'
import type { Task } from '@guildhall/protocol/tasks.ts'
import { roleLook } from '../lib/roles.ts'

/** A fixed beginning of time: tests read the clock of the log, never the machine's. */
export const start = Date.parse('2026-11-21T14:00:00.000Z')
export const at = (seconds: number): string => new Date(start + seconds * 1_000).toISOString()
export const sha = (letter: string): string => letter.repeat(40)

let made = 0
/** A uuid that says which test thing it is when read in a failure. */
export const id = (n = (made += 1)): never => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}` as never

/** A log made of facts: seq counts from 1, the time is the given second. */
export function logOf(facts: [seconds: number, fact: Fact][], from = 1): Event[] {
  return facts.map(([seconds, fact], index) => ({
    topic: 'project:test',
    seq: from + index,
    at: at(seconds),
    actor: { kind: 'system' },
    ...fact,
  }))
}

export const person = { kind: 'user', userId: id(900), name: 'Lena' } as const
export const agent = (role: 'dev_manager' | 'engineer' | 'architect') =>
  ({ kind: 'agent', agentId: id(800), role, name: roleLook(role).name }) as const

export const message = (change: Partial<Message>): Message => ({
  id: id(),
  conversationId: id(700),
  projectId: id(1),
  taskId: null,
  runId: null,
  sender: person,
  kind: 'chat',
  content: 'Hello',
  seq: 1,
  createdAt: at(0),
  ...change,
})

export const task = (change: Partial<Task>): Task => ({
  id: id(),
  projectId: id(1),
  planId: id(600),
  conversationId: id(700),
  key: 'basket',
  title: 'A basket that lasts',
  goal: 'A shopper keeps a basket between visits.',
  role: 'engineer',
  form: 'short',
  state: 'waiting',
  reason: null,
  dependsOn: [],
  scope: [],
  criteria: [{ text: 'All tests pass', check: { kind: 'command', argv: ['npm', 'test'], timeoutMs: 60_000 } }],
  constraints: [],
  boxes: [{ text: 'Write it', files: [], done: false, commit: null }],
  replaces: [],
  branch: null,
  base: null,
  head: null,
  tree: null,
  mergedAs: null,
  claims: [],
  summary: null,
  returns: 0,
  createdAt: at(0),
  updatedAt: at(0),
  ...change,
})
