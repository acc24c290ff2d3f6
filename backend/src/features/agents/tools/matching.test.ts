import { describe, expect, test } from 'vitest'
import { replaceText } from './matching.ts'

const cart = `export class Cart {
  lines = []

  add(item, qty) {
    this.lines.push({ item, qty })
    return this
  }

  total() {
    return this.lines.reduce((sum, line) => sum + line.price * line.qty, 0)
  }
}
`
const change = (content: string, old: string, next: string, all = false) =>
  replaceText({ path: 'src/cart.ts', content, old, next, all })
const content = (result: ReturnType<typeof change>) => (result.kind === 'replaced' ? result.content : result.reason)
const how = (result: ReturnType<typeof change>) => (result.kind === 'replaced' ? result.looseness : 'refused')

describe('an exact match', () => {
  test('in the middle of a line is replaced', () => {
    expect(content(change('a = one + two\n', 'one', 'three'))).toBe('a = three + two\n')
  })
  test('over several lines is replaced', () => {
    const result = change(cart, '  total() {\n    return this', '  total() {\n    return that')
    expect([how(result), content(result).includes('return that.lines')]).toEqual(['exact', true])
  })
  test('at the start, and at the end of a file without a line end', () => {
    expect(content(change('a\nb', 'a', 'x'))).toBe('x\nb')
    expect(content(change('a\nb', 'b', 'x'))).toBe('a\nx')
  })
  test('to nothing takes the text away', () => {
    expect(content(change('a\nb\nc\n', 'b\n', ''))).toBe('a\nc\n')
  })
  test('keeps $ and & in the new text as they are', () => {
    expect(content(change('price\n', 'price', '$& $1 $$'))).toBe('$& $1 $$\n')
  })
  test('takes a new text with LF into a CRLF file as CRLF', () => {
    expect(content(change('a\r\nb\r\n', 'a', 'x\ny'))).toBe('x\r\ny\r\nb\r\n')
  })
  test('tells the first line it changed and how many lines stand there now', () => {
    const result = change(cart, '    return this\n', '    // chained\n    return this\n')
    expect(result).toMatchObject({ firstLine: 6, newLines: 2 })
  })
  test('wins over a looser one elsewhere', () => {
    const result = change('  x()\nx()  \ny\n', 'x()  \n', 'z()\n')
    expect([how(result), content(result)]).toEqual(['exact', '  x()\nz()\ny\n'])
  })
})

describe('several matches', () => {
  test('are refused with their lines', () => {
    expect(content(change('a\nb\na\nc\na\n', 'a', 'x'))).toBe(
      'Found 3 times in src/cart.ts: lines 1, 3, 5. Add lines around it to `old` until it is unique, or set `all`.',
    )
  })
  test('are all replaced with `all`', () => {
    expect(content(change('a b a\na\n', 'a', 'xx', true))).toBe('xx b xx\nxx\n')
  })
  test('of a text that overlaps itself count once a place', () => {
    expect(content(change('aaaa', 'aa', 'b', true))).toBe('bb')
  })
  test('under the looser eye are refused too', () => {
    expect(content(change('a  \nb\na   \n', 'a\t\n', 'x\n'))).toContain('Found 2 times in src/cart.ts: lines 1, 3.')
  })
  test('beyond ten name the first ten', () => {
    expect(content(change('a\n'.repeat(12), 'a', 'b'))).toContain('1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more')
  })
})

describe('spaces at line ends and CRLF', () => {
  test('trailing spaces in the file do not hide it', () => {
    const result = change('one  \ntwo\t\nthree\n', 'one\ntwo', 'uno\ndue')
    expect([how(result), content(result)]).toEqual(['spacing', 'uno\ndue\nthree\n'])
  })
  test('trailing spaces in `old` do not hide it', () => {
    expect(content(change('one\ntwo\n', 'one  \ntwo ', 'x'))).toBe('x\n')
  })
  test('an LF text finds a CRLF file and stays CRLF', () => {
    const result = change('one\r\ntwo\r\nthree\r\n', 'one\ntwo\n', 'uno\ndue\n')
    expect([how(result), content(result)]).toEqual(['spacing', 'uno\r\ndue\r\nthree\r\n'])
  })
  test('a CRLF text finds an LF file and stays LF', () => {
    expect(content(change('one\ntwo\n', 'one\r\ntwo', 'uno\r\ndue'))).toBe('uno\ndue\n')
  })
})

describe('one indent shift', () => {
  test('a text written without the indent is found and moved in', () => {
    const result = change(
      cart,
      'add(item, qty) {\n  this.lines.push({ item, qty })',
      'add(item, qty = 1) {\n  this.lines.push({ item, qty })',
    )
    expect([how(result), content(result).includes('  add(item, qty = 1) {\n    this.lines.push')]).toEqual([
      'indent',
      true,
    ])
  })
  test('a text written too deep is found and moved out', () => {
    const result = change('if (a) {\n  b()\n}\n', '    if (a) {\n      b()\n    }', '    if (a) {\n      c()\n    }')
    expect([how(result), content(result)]).toEqual(['indent', 'if (a) {\n  c()\n}\n'])
  })
  test('with tabs', () => {
    expect(content(change('\tif (a)\n\t\tb()\n', 'if (a)\n\tb()', 'if (a)\n\tc()'))).toBe('\tif (a)\n\t\tc()\n')
  })
  test('that is not the same for each line is refused', () => {
    expect(how(change('  a\n b\n', 'a\nb', 'c\nd'))).toBe('refused')
  })
  test('leaves empty lines empty', () => {
    expect(content(change('  a\n\n  b\n', 'a\n\nb', 'a\n\nc'))).toBe('  a\n\n  c\n')
  })
  test('is refused when a new line has less indent than must go', () => {
    expect(how(change('a\nb\n', '  a\n  b', '  a\nc'))).toBe('refused')
  })
  test('at two places is refused', () => {
    expect(content(change('  a()\n  b()\n    a()\n    b()\n', 'a()\nb()', 'c()'))).toContain('Found 2 times')
  })
})

describe('not found', () => {
  test('names the nearest lines and the word that differs', () => {
    const said = content(change(cart, '  add(item, quantity) {\n    this.lines.push({ item, qty })', 'x'))
    expect(said.split('\n')[0]).toBe(
      'Not found in src/cart.ts. Nearest is lines 4–5 (differs in line 4: "qty" where you wrote "quantity"). read lines 1–11, then edit again.',
    )
    expect(said).toContain('    4│  add(item, qty) {')
  })
  test('never takes a block by its first and last line', () => {
    expect(how(change(cart, '  add(item, qty) {\n    // …\n    return this\n  }', 'x'))).toBe('refused')
  })
  test('in a file with nothing like it says so', () => {
    expect(content(change('aaaa\nbbbb\n', 'function zebra() { return 9 }', 'x'))).toBe(
      'Not found in src/cart.ts, and nothing there is like it. read src/cart.ts, then edit again.',
    )
  })
  test('in an empty file, and blank lines alone, are refused', () => {
    expect([how(change('', 'a', 'b')), how(change('a\n\t\nb\n', '  \n   ', 'x'))]).toEqual(['refused', 'refused'])
  })
  test('the same text twice is refused', () => {
    expect(content(change('a\n', 'a', 'a'))).toContain('are the same')
  })
  test('a file of 20,000 lines is answered in good time', () => {
    const long = Array.from({ length: 20_000 }, (_, index) =>
      index === 777 ? 'export function zebra(stripes) {' : `const value${index} = ${index}`,
    ).join('\n')
    const begun = performance.now()
    expect(content(change(long, 'export function zebra(spots) {', 'x'))).toContain('lines 778–778')
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
})
