import { expect, test } from 'vitest'
import { reading } from './fold.ts'

const counting = () => {
  let steps = 0
  const read = reading({
    initial: 0,
    step: (sum: number, n: number) => {
      steps += 1
      return sum + n
    },
  })
  return { read, steps: () => steps }
}

test('a list that grew costs only what is new', () => {
  const { read, steps } = counting()
  const first = [1, 2, 3]
  expect([read(first), read(first), read([...first, 4])]).toEqual([6, 6, 10])
  expect(steps()).toBe(4)
})

test('another list is read from its beginning', () => {
  const { read } = counting()
  expect([read([1, 2, 3]), read([5]), read([5, 6]), read([])]).toEqual([6, 5, 11, 0])
})
