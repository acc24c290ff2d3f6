import { expect, test } from 'vitest'
import { tokenLines, tokens } from './highlight.ts'

test('loses and adds nothing, whatever the source', () => {
  const odd = ['const a = `un${b}\nclosed', '"\\', "'", '/* never ends', '<a b="c">🐟</a>', '\n\n', 'x'.repeat(50)]
  for (const path of ['a.ts', 'a.tsx', 'a.py', 'a.css', 'a.html', 'a.json', 'a.unknown']) {
    for (const source of odd)
      expect(
        tokens(source, path)
          .map(({ text }) => text)
          .join(''),
      ).toBe(source)
  }
})

test('a comment over two lines is a comment on both', () => {
  expect(tokenLines('/* one\ntwo */ let', 'a.ts')).toEqual([
    [{ kind: 'comment', text: '/* one' }],
    [
      { kind: 'comment', text: 'two */' },
      { kind: 'plain', text: ' ' },
      { kind: 'keyword', text: 'let' },
    ],
  ])
})
