import type { Fact } from '@guildhall/protocol/events.ts'
import type { Branch, Commit } from '@guildhall/protocol/repository.ts'
import { describe, expect, test } from 'vitest'
import { at, id, logOf, sha, start } from '../../testing/log.ts'
import { laneScale } from './lane-scale.ts'
import { lanesFold } from './lanes.ts'

const lanesOf = (facts: [number, Fact][]) => logOf(facts).reduce(lanesFold.step, lanesFold.initial).lanes

const created = (name: string, change: Partial<Branch> = {}): Fact => ({
  type: 'branch.created',
  data: {
    branch: {
      name,
      head: sha('0'),
      base: sha('0'),
      ahead: 0,
      behind: 0,
      role: name === 'main' ? null : 'engineer',
      taskId: null,
      status: 'active',
      updatedAt: at(0),
      ...change,
    },
  },
})
const commit = (letter: string, seconds: number): Commit => ({
  sha: sha(letter),
  parents: [],
  author: { name: 'Crew', email: 'crew@example.test' },
  role: 'engineer',
  at: at(seconds),
  subject: `feat: ${letter}`,
  body: '',
})
const pushed = (name: string, commits: Commit[]): Fact => ({
  type: 'branch.pushed',
  data: { name, head: commits.at(-1)!.sha, commits, role: 'engineer' },
})
const moved = (letter: string, branch: string | null): Fact => ({
  type: 'main.moved',
  data: { from: sha('0'), to: sha(letter), branch, taskId: null },
})

describe('lanes as a reading of the log', () => {
  test('a branch forks from main, carries its commits in order and ends where main takes it in', () => {
    const lanes = lanesOf([
      [0, created('main')],
      [10, created('agent/engineer/basket', { taskId: id(50) })],
      [30, pushed('agent/engineer/basket', [commit('b', 25), commit('a', 20)])],
      [40, moved('c', 'agent/engineer/basket')],
    ])
    const second = (n: number) => start + n * 1_000
    expect(lanes).toEqual([
      {
        name: 'main',
        role: null,
        taskId: null,
        forkedAt: null,
        mergedAt: null,
        dots: [
          { sha: sha('0'), at: second(0), subject: 'The first commit', kind: 'commit', seq: 1 },
          { sha: sha('c'), at: second(40), subject: 'Merge of agent/engineer/basket', kind: 'merge', seq: 4 },
        ],
      },
      {
        name: 'agent/engineer/basket',
        role: 'engineer',
        taskId: id(50),
        forkedAt: second(10),
        mergedAt: second(40),
        dots: [
          { sha: sha('a'), at: second(20), subject: 'feat: a', kind: 'commit', seq: 3 },
          { sha: sha('b'), at: second(25), subject: 'feat: b', kind: 'commit', seq: 3 },
        ],
      },
    ])
  })

  test('a commit that is told of twice is one dot', () => {
    const lanes = lanesOf([
      [0, created('main')],
      [1, created('work')],
      [2, pushed('work', [commit('a', 2)])],
      [3, pushed('work', [commit('a', 2), commit('b', 3)])],
    ])
    expect(lanes[1]!.dots.map((dot) => dot.sha)).toEqual([sha('a'), sha('b')])
  })

  test('a sandbox clock that is wrong cannot put a commit before its fork or after it was seen', () => {
    const lanes = lanesOf([
      [0, created('main')],
      [10, created('work')],
      [20, pushed('work', [commit('a', -500), commit('b', 9_000)])],
    ])
    expect(lanes[1]!.dots.map((dot) => (dot.at - start) / 1_000)).toEqual([10, 20])
  })
})

describe('the time axis', () => {
  const lanes = lanesOf([
    [0, created('main')],
    [10, created('work')],
    [12, pushed('work', [commit('a', 12)])],
    [7_200, moved('c', 'work')],
  ])
  const now = start + 7_210_000
  const scale = laneScale(lanes, now, 600)

  test('runs from the first moment to now, in order', () => {
    const places = [0, 10, 12, 7_200, 7_210].map((second) => scale.x(start + second * 1_000))
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect([places[0], Math.round(places.at(-1)!)]).toEqual([0, 600])
  })

  test('cuts a long quiet short, says where, and keeps room between things that happened at once', () => {
    const at = (second: number) => scale.x(start + second * 1_000)
    expect(scale.breaks).toHaveLength(1)
    expect(at(12) - at(10)).toBeGreaterThan(40)
    expect((at(7_200) - at(12)) / 600).toBeLessThan(0.75)
  })

  test('grows past the width it was given when there is much to show', () => {
    const busy = lanesOf([
      [0, created('main')],
      ...Array.from({ length: 200 }, (_, n): [number, Fact] => [n, moved(n.toString(16).slice(-1), null)]),
      ...Array.from({ length: 200 }, (_, n): [number, Fact] => [
        n + 1,
        pushed('work', [{ ...commit('a', n + 1), sha: n.toString(16).padStart(40, '0') }]),
      ]),
    ])
    expect(laneScale(busy, start + 210_000, 300).width).toBeGreaterThan(3_000)
  })
})
