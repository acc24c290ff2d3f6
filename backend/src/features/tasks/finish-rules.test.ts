import type { FinishInput, Task } from '@guildhall/protocol/tasks.ts'
import { expect, test } from 'vitest'
import { finishRefusals } from './finish-rules.ts'

const task = (done: boolean) => ({ boxes: [{ text: 'Write it', files: [], done, commit: null }] }) as unknown as Task
const step = (seq: number, tool = 'shell', state = 'done') => ({ seq, tool, state })
const claiming = (...evidence: number[]): FinishInput => ({
  summary: 'Done',
  claims: [{ text: 'Tests pass', evidence }],
})

test('evidence after the last edit, all boxes ticked, work committed: nothing to refuse', () => {
  expect(finishRefusals(task(true), claiming(9), [step(5, 'edit'), step(9)], true)).toEqual([])
})

test('open boxes and missing work are each named with the next step', () => {
  expect(finishRefusals(task(false), claiming(9), [step(9)], false)).toEqual([
    "Open boxes: 1. Write it. Finish them and name them in commit's `boxes`.",
    'The branch has no commit of yours. Do the work and commit it.',
  ])
})

test('a claim without evidence, with foreign, interrupted or stale evidence is refused', () => {
  expect(finishRefusals(task(true), claiming(), [], true)[0]).toContain('cites no event')
  expect(finishRefusals(task(true), claiming(3), [step(9)], true)[0]).toContain('no tool result of this task')
  expect(finishRefusals(task(true), claiming(9), [step(9, 'shell', 'interrupted')], true)[0]).toContain('interrupted')
  expect(finishRefusals(task(true), claiming(4), [step(4), step(5, 'edit')], true)[0]).toContain('edited after it')
})

test('a refused edit changed nothing, so it makes no evidence stale', () => {
  expect(finishRefusals(task(true), claiming(4), [step(4), step(5, 'edit', 'failed')], true)).toEqual([])
})
