import { expect, test } from 'vitest'
import { storable, storableText } from './storable.ts'

test('what PostgreSQL refuses becomes a visible mark; what merely spells it stays', () => {
  const value = {
    nul: 'a\0b',
    half: '\ud800x\udc00',
    pair: '\u{1f600}',
    spelt: '\\u0000 \\ud800 \\\\',
    list: [null, 1.5],
  }
  expect(storable(value)).toEqual({ ...value, nul: 'a\u2400b', half: '\ufffdx\ufffd' })
  expect(storable(undefined)).toBeNull()
  expect(storableText('a\0\ud800')).toBe('a\u2400\ufffd')
})
