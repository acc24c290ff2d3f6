import { expect, test } from 'vitest'
import { id, logOf, message } from '../../testing/log.ts'
import { emptyLog, extendLog, joinDelta } from './api.ts'

const events = logOf([1, 2, 3].map((second) => [second, { type: 'message.sent', data: { message: message({}) } }]))
const delta = (offset: number, text: string) => ({
  op: 'delta' as const,
  topic: 'project:test',
  messageId: id(1),
  runId: id(2),
  role: 'engineer' as const,
  offset,
  text,
})

test('the log takes what is new, once, and stays the same when nothing is', () => {
  const first = extendLog(emptyLog, events.slice(0, 2))
  const again = extendLog(first, events.slice(0, 2))
  const whole = extendLog(first, events)
  expect(again).toBe(first)
  expect([whole.head, whole.events.map(({ seq }) => seq)]).toEqual([3, [1, 2, 3]])
})

test('deltas join by offset: a snapshot repeats the beginning, a hole is left to the message itself', () => {
  const first = joinDelta(undefined, delta(0, 'The dr'))
  const more = joinDelta(first, delta(6, 'awer'))
  expect([
    more.text,
    joinDelta(more, delta(0, 'The drawer keeps')).text,
    joinDelta(more, delta(6, 'awer keeps')).text,
    joinDelta(more, delta(40, 'lost')).text,
    joinDelta(undefined, delta(12, 'middle')).text,
  ]).toEqual(['The drawer', 'The drawer keeps', 'The drawer keeps', 'The drawer', ''])
})
