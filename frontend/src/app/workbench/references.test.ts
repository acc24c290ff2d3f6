import { expect, test } from 'vitest'
import { fileReference } from './references.ts'

test('a path is read with its line, and what is no path is not', () => {
  const cases: [text: string, wanted: [string, number | null] | null][] = [
    ['src/cart/Drawer.tsx', ['src/cart/Drawer.tsx', null]],
    ['./src/a.ts:12', ['src/a.ts', 12]],
    ['src/a.ts:12:5', ['src/a.ts', 12]],
    ['package.json', ['package.json', null]],
    ['.github/workflows/ci.yml', ['.github/workflows/ci.yml', null]],
    ['npm test', null],
    ['https://example.test/a.ts', null],
    ['/etc/passwd', null],
    ['useCart()', null],
    ['a.ts:line', null],
  ]
  for (const [text, wanted] of cases) {
    const found = fileReference(text)
    expect(found && [found.path, found.line], text).toEqual(wanted)
  }
})
