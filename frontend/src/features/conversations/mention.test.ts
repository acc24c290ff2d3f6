import { expect, test } from 'vitest'
import { complete, openMention } from './mention.ts'

const words = (text: string, caret = text.length) => openMention(text, caret)?.matches.map(({ word }) => word) ?? null

test('an @ at the beginning of a word offers who can be named, narrowed by what follows', () => {
  expect(words('@')).toEqual(['@product', '@architect', '@engineer', '@platform', '@analyst'])
  expect(words('please ask @EN')).toEqual(['@engineer'])
  expect(words('(@a')).toEqual(['@architect', '@analyst'])
  expect(words('@engineer and more', 4)).toEqual(['@engineer'])
})

test('an address, a finished word and a name nobody has offer nothing', () => {
  for (const text of ['lena@', 'lena@en', '@engineer ', '@nobody', 'plain']) expect(words(text), text).toBeNull()
})

test('completing replaces the word and leaves one space behind it', () => {
  expect(complete('ask @en', 7, 4, '@engineer')).toEqual({ text: 'ask @engineer ', caret: 14 })
  expect(complete('@eng then', 2, 0, '@engineer')).toEqual({ text: '@engineer then', caret: 10 })
})
