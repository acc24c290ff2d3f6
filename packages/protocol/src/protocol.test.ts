import { expect, test } from 'vitest'
import { Event, Topic } from './events.ts'
import { CostUsd, Sha } from './ids.ts'
import { Password, Username } from './identity.ts'
import { CreateProject } from './projects.ts'

const projectId = '01990000-0000-7000-8000-000000000001'
const event = (fact: object) => ({
  topic: `project:${projectId}`,
  seq: 7,
  at: '2026-11-21T05:00:00.000Z',
  actor: { kind: 'system' },
  ...fact,
})

test('an event is envelope and fact, and a fact that nobody named is none', () => {
  const known = event({ type: 'project.deleted', data: { projectId } })
  expect(Event.parse(known)).toEqual(known)
  expect(Event.safeParse(event({ type: 'project.exploded', data: {} })).success).toBe(false)
  expect(Event.safeParse(event({ type: 'project.deleted', data: {} })).success).toBe(false)
})

test.each(['user:x', 'project:', 'console:01990000-0000-7000-8000-000000000001', 'project:*'])(
  '%s is no topic',
  (topic) => expect(Topic.safeParse(topic).success).toBe(false),
)

test('a password longer than bcrypt reads is refused, counted in bytes', () => {
  expect(Password.safeParse('x'.repeat(72)).success).toBe(true)
  expect(Password.safeParse('x'.repeat(73)).success).toBe(false)
  expect(Password.safeParse('ü'.repeat(37)).success).toBe(false)
  expect(Password.safeParse('too short').success).toBe(false)
})

test('a username holds no @, so it never collides with an address', () => {
  expect(Username.safeParse('ada_l-1').success).toBe(true)
  expect(['ada@x.org', '-ada', 'a', 'ada lovelace'].filter((name) => Username.safeParse(name).success)).toEqual([])
})

test('money is six places and a commit a full object id', () => {
  expect(['0.000001', '12.500000'].every((cost) => CostUsd.safeParse(cost).success)).toBe(true)
  expect(['1', '1.5', '1e-6', '-1.000000'].some((cost) => CostUsd.safeParse(cost).success)).toBe(false)
  expect(Sha.safeParse('abc1234').success).toBe(false)
})

test('a body with a field that nobody asked for is refused, not trimmed', () => {
  expect(CreateProject.safeParse({ name: 'Shop' }).success).toBe(true)
  expect(CreateProject.safeParse({ name: 'Shop', ownerId: projectId }).success).toBe(false)
})
