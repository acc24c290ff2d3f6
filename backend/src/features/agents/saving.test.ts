import { expect, test } from 'vitest'
import { createLog } from '../../platform/log.ts'
import { keepSaved } from './saving.ts'

const log = createLog({ level: 'silent' })
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('saves go on one at a time through failures, and the last one is after all work', async () => {
  let running = 0
  let most = 0
  let saves = 0
  let work = 'begun'
  let kept = ''
  const end = keepSaved(
    async () => {
      most = Math.max(most, ++running)
      const seen = work
      await wait(30)
      running--
      if (++saves === 1) throw new Error('the sandbox was away')
      kept = seen
    },
    log,
    5,
  )
  await wait(120)
  expect(kept).toBe('begun')
  work = 'done'
  await end()
  const atEnd = saves
  expect([most, kept]).toEqual([1, 'done'])
  await wait(40)
  expect(saves).toBe(atEnd)
})
