import type { Event } from '@guildhall/protocol/events.ts'
import { QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { emptyLog, extendLog, logKey, type ProjectLog, useDrafts } from '../features/realtime/api.ts'
import type { Socket, TopicReader } from '../lib/socket.ts'
import { agent, id, logOf, message } from '../testing/log.ts'
import { followProject } from './events.ts'

const projectId = '00000000-0000-7000-8000-000000000001'
const events: Event[] = logOf(
  [1, 2, 3, 4, 5].map((second) => [
    second,
    { type: 'message.sent', data: { message: message({ id: id(second), sender: agent('engineer'), runId: id(101) }) } },
  ]),
)

const realFetch = globalThis.fetch
let asked: string[] = []
beforeEach(() => {
  vi.useFakeTimers()
  asked = []
  globalThis.fetch = (async (url: string) => {
    asked.push(url)
    const after = Number(new URL(url, 'http://test').searchParams.get('after'))
    return new Response(JSON.stringify({ items: events.filter(({ seq }) => seq > after), head: 5 }))
  }) as typeof fetch
})
afterEach(() => {
  vi.useRealTimers()
  globalThis.fetch = realFetch
})

/** A page whose log was read up to the given seq, and the reader it put on the socket. */
function pageAt(head: number) {
  const client = new QueryClient()
  client.setQueryData(logKey(projectId), extendLog(emptyLog, events.slice(0, head)))
  let reader: TopicReader | undefined
  const socket = {
    subscribe: (_: string, given: TopicReader) => ((reader = given), () => undefined),
  } as unknown as Socket
  const stop = followProject(client, socket, projectId)
  const seen = () => client.getQueryData<ProjectLog>(logKey(projectId))!.events.map(({ seq }) => seq)
  return { reader: reader!, seen, stop }
}
const frame = () => vi.advanceTimersByTimeAsync(20)

test('what the socket brings extends the log, each event once', async () => {
  const { reader, seen } = pageAt(2)
  expect(reader.after()).toBe(2)
  for (const event of [events[1]!, events[2]!, events[3]!]) reader.onEvent(event)
  await frame()
  expect([seen(), reader.after(), asked]).toEqual([[1, 2, 3, 4], 4, []])
})

test('a hole is filled over HTTP from where the log stands', async () => {
  const { reader, seen } = pageAt(2)
  reader.onEvent(events[4]!)
  await frame()
  expect([seen(), asked]).toEqual([[1, 2, 3, 4, 5], [`/api/projects/${projectId}/events?after=2&limit=1000`]])
})

test('a reset reads what was missed and goes on from there', async () => {
  const { reader, seen } = pageAt(1)
  await reader.onReset!(5)
  expect([seen(), reader.after()]).toEqual([[1, 2, 3, 4, 5], 5])
})

test('words being written are shown until the message itself is in the log, or the page leaves', async () => {
  const { reader, stop } = pageAt(2)
  const delta = (messageId: never, offset: number, text: string) =>
    reader.onDelta!({ op: 'delta', topic: '', messageId, runId: id(101), role: 'engineer', offset, text })
  delta(id(3), 0, 'The dr')
  delta(id(3), 6, 'awer')
  delta(id(77), 0, 'Another')
  await frame()
  const texts = () => Object.values(useDrafts.getState().byMessage).map(({ text }) => text)
  expect(texts()).toEqual(['The drawer', 'Another'])
  reader.onEvent(events[2]!)
  await frame()
  expect(texts()).toEqual(['Another'])
  stop()
  expect(texts()).toEqual([])
})
