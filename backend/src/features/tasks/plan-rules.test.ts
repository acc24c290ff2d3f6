import { PlanInput } from '@guildhall/protocol/tasks.ts'
import { expect, test } from 'vitest'
import { planComplaints } from './plan-rules.ts'

const task = (key: string, change: object = {}) => ({
  key,
  title: `Task ${key}`,
  goal: 'A visitor sees the words, so that the page says what it is for.',
  role: 'engineer',
  criteria: [{ text: 'The tests pass', check: { kind: 'command', argv: ['npm', 'test'] } }],
  boxes: [{ text: 'Write the words' }],
  ...change,
})
const complaints = (tasks: object[]) =>
  planComplaints(PlanInput.parse({ summary: 'A plan', tasks }), new Set(['1/a/1']))

test('a sound plan draws no complaint', () => {
  expect(complaints([task('a'), task('b', { dependsOn: ['a'] })])).toEqual([])
})

test('only a criterion that main keeps can be replaced', () => {
  expect(complaints([task('a', { replaces: ['1/a/1'] })])).toEqual([])
  expect(complaints([task('a', { replaces: ['1/a/2'] })])[0]).toContain('replaces 1/a/2, which main does not keep')
})

test('a key that stands twice is named', () => {
  expect(complaints([task('a'), task('a')])).toEqual(['Two tasks have the key "a". Give each task a key of its own.'])
})

test('a dependency outside the plan and a circle are named with their way', () => {
  expect(complaints([task('a', { dependsOn: ['z'] })])[0]).toContain('depends on "z"')
  expect(
    complaints([task('a', { dependsOn: ['c'] }), task('b', { dependsOn: ['a'] }), task('c', { dependsOn: ['b'] })]),
  ).toEqual(['These tasks wait for each other: a → c → b → a. Take one dependency away.'])
})

test('a task that waits for itself is a circle', () => {
  expect(complaints([task('a', { dependsOn: ['a'] })])[0]).toContain('a → a')
})

test.each(['true', 'echo', ':'])('a check that proves nothing (%s) is refused', (command) => {
  const criteria = [{ text: 'It works', check: { kind: 'command', argv: [command] } }]
  expect(complaints([task('a', { criteria })])[0]).toContain('passes whatever the code does')
})

test('a placeholder and a goal of two paragraphs are refused', () => {
  expect(complaints([task('a', { goal: '[describe the goal here]' })])[0]).toContain('placeholder')
  expect(complaints([task('a', { goal: 'One paragraph.\n\nAnother one.' })])[0]).toContain('one paragraph')
})
