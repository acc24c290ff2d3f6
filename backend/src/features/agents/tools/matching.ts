import { alikeness } from './paths.ts'
import { numbered } from './text.ts'

/** Where `old` stands in a file, or why that cannot be said. Lines count from 1. */
export type Replacement =
  | {
      kind: 'replaced'
      content: string
      firstLine: number
      newLines: number
      looseness: 'exact' | 'spacing' | 'indent'
    }
  | { kind: 'refused'; reason: string }

interface Region {
  start: number
  end: number
  text: string
}

const lineAt = (content: string, index: number) => content.slice(0, index).split('\n').length
/** Most of its lines end in CRLF. */
const usesCrlf = (text: string) => 2 * (text.split('\r\n').length - 1) > text.split('\n').length - 1
const withEnds = (text: string, ends: '\n' | '\r\n') => text.replaceAll(/\r?\n/g, ends)
const listed = (numbers: number[]) => {
  const shown = numbers.slice(0, 10).join(', ')
  return numbers.length > 10 ? `${shown} and ${numbers.length - 10} more` : shown
}

/**
 * Replaces `old` by `next`. First exactly; then ignoring spaces at line ends and CRLF; then with one indent shift
 * that is the same for every line. Each way only counts when it finds exactly one place, so nothing is guessed.
 */
export function replaceText({
  path,
  content,
  old,
  next,
  all,
}: {
  path: string
  content: string
  old: string
  next: string
  all: boolean
}): Replacement {
  if (old === next) return refused(`\`old\` and \`new\` are the same; ${path} stays as it is. Change \`new\`.`)
  const exact = occurrences(content, old)
  if (exact.length === 1 || (all && exact.length > 1)) {
    const text = usesCrlf(content) ? withEnds(next, '\r\n') : next
    return apply(
      content,
      exact.map((start) => ({ start, end: start + old.length, text })),
      'exact',
    )
  }
  if (exact.length > 1)
    return severalTimes(
      path,
      exact.map((index) => lineAt(content, index)),
    )

  for (const looseness of ['spacing', 'indent'] as const) {
    const regions = looseRegions(content, old, next, looseness)
    if (regions.length === 1) return apply(content, regions, looseness)
    if (regions.length > 1)
      return severalTimes(
        path,
        regions.map(({ start }) => lineAt(content, start)),
      )
  }
  return refused(nearest(path, content, old))
}

const refused = (reason: string): Replacement => ({ kind: 'refused', reason })

const severalTimes = (path: string, lines: number[]) =>
  refused(
    `Found ${lines.length} times in ${path}: lines ${listed(lines)}. Add lines around it to \`old\` until it is unique, or set \`all\`.`,
  )

function occurrences(content: string, old: string): number[] {
  const found: number[] = []
  for (let at = content.indexOf(old); at !== -1; at = content.indexOf(old, at + old.length)) found.push(at)
  return found
}

function apply(content: string, regions: Region[], looseness: 'exact' | 'spacing' | 'indent'): Replacement {
  let result = ''
  let from = 0
  for (const { start, end, text } of regions) {
    result += content.slice(from, start) + text
    from = end
  }
  result += content.slice(from)
  const first = regions[0]!
  return {
    kind: 'replaced',
    content: result,
    firstLine: lineAt(content, first.start),
    newLines: first.text === '' ? 0 : first.text.replace(/\r?\n$/, '').split('\n').length,
    looseness,
  }
}

interface Line {
  start: number
  /** Past the line's text, before its end. */
  textEnd: number
  /** Past the line's end. */
  end: number
  text: string
}

function splitLines(content: string): Line[] {
  const lines: Line[] = []
  let start = 0
  while (start < content.length) {
    const at = content.indexOf('\n', start)
    const end = at === -1 ? content.length : at + 1
    let textEnd = at === -1 ? content.length : at
    if (textEnd > start && content[textEnd - 1] === '\r') textEnd -= 1
    lines.push({ start, textEnd, end, text: content.slice(start, textEnd) })
    start = end
  }
  return lines
}

const withoutTail = (text: string) => text.replace(/[ \t\r]+$/, '')
const isBlank = (text: string) => text.trim() === ''

/** Whole lines of the file that equal `old` under the looser eye, with what would stand there instead. */
function looseRegions(content: string, old: string, next: string, looseness: 'spacing' | 'indent'): Region[] {
  const wanted = old
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .map(withoutTail)
  if (wanted.every(isBlank)) return []
  const file = splitLines(content)
  const takesLineEnd = /\n$/.test(old)
  const regions: Region[] = []
  for (let first = 0; first + wanted.length <= file.length; first += 1) {
    const lines = file.slice(first, first + wanted.length)
    const shift = looseness === 'spacing' ? equalLines(lines, wanted) : indentShift(lines, wanted)
    if (shift === null) continue
    const shifted = shiftIndent(next, shift)
    if (shifted === null) continue
    const last = lines.at(-1)!
    const text = withEnds(shifted, usesCrlf(content) ? '\r\n' : '\n')
    regions.push({ start: lines[0]!.start, end: takesLineEnd ? last.end : last.textEnd, text })
    first += wanted.length - 1
  }
  return regions
}

/** Spaces that stand before each line of the file (`add`) or before each line of `old` (`remove`), and not in the other. */
interface Shift {
  add: string
  remove: string
}

function equalLines(lines: Line[], wanted: string[]): Shift | null {
  return lines.every(({ text }, index) => withoutTail(text) === wanted[index]) ? { add: '', remove: '' } : null
}

function indentShift(lines: Line[], wanted: string[]): Shift | null {
  let shift: Shift | null = null
  for (const [index, line] of lines.entries()) {
    const have = withoutTail(line.text)
    const want = wanted[index]!
    if (isBlank(have) !== isBlank(want)) return null
    if (isBlank(have)) continue
    const own = difference(have, want)
    if (own === null || (shift && (shift.add !== own.add || shift.remove !== own.remove))) return null
    shift = own
  }
  return shift
}

function difference(have: string, want: string): Shift | null {
  if (have.endsWith(want) && isBlank(have.slice(0, have.length - want.length)))
    return { add: have.slice(0, have.length - want.length), remove: '' }
  if (want.endsWith(have) && isBlank(want.slice(0, want.length - have.length)))
    return { add: '', remove: want.slice(0, want.length - have.length) }
  return null
}

/** `next` moved like the place it goes to; null when a line has less indent than must be taken away. */
function shiftIndent(next: string, { add, remove }: Shift): string | null {
  const lines = next.split('\n')
  if (remove && lines.some((line) => !isBlank(line) && !line.startsWith(remove))) return null
  return lines.map((line) => (isBlank(line) ? line : add + line.slice(remove.length))).join('\n')
}

/** Where the text most like `old` stands, and the first word that differs: the next try should not be a guess. */
function nearest(path: string, content: string, old: string): string {
  const file = splitLines(content).map(({ text }) => text)
  const wanted = old.replace(/\r?\n$/, '').split(/\r?\n/)
  const best = bestWindow(file, wanted)
  if (!best) return `Not found in ${path}, and nothing there is like it. read ${path}, then edit again.`
  const from = best.start + 1
  const to = Math.min(file.length, best.start + wanted.length)
  const shown = file.slice(best.start, Math.min(to, best.start + 12))
  return (
    `Not found in ${path}. Nearest is lines ${from}–${to}${best.difference}. ` +
    `read lines ${Math.max(1, from - 5)}–${Math.min(file.length, to + 6)}, then edit again.\n${numbered(shown, from)}`
  )
}

function bestWindow(file: string[], wanted: string[]): { start: number; difference: string } | null {
  const starts = candidateStarts(file, wanted)
  let best: { start: number; score: number } | null = null
  for (const start of starts) {
    let score = 0
    for (const [index, line] of wanted.entries()) score += alikeness((file[start + index] ?? '').trim(), line.trim())
    if (!best || score > best.score) best = { start, score }
  }
  if (!best || best.score / wanted.length < 0.35) return null
  return { start: best.start, difference: firstDifference(file, wanted, best.start) }
}

/** Windows worth a closer look: those that share a line with `old`, else those whose first line is most like its longest. */
function candidateStarts(file: string[], wanted: string[]): number[] {
  const places = new Map<string, number[]>()
  for (const [index, line] of file.entries()) {
    const key = line.trim()
    const known = places.get(key)
    if (known) known.push(index)
    else places.set(key, [index])
  }
  const starts = new Set<number>()
  for (const [offset, line] of wanted.entries()) {
    if (line.trim().length < 3) continue
    for (const index of (places.get(line.trim()) ?? []).slice(0, 20)) if (index >= offset) starts.add(index - offset)
  }
  if (starts.size > 0) return [...starts].slice(0, 100)
  const offset = wanted.reduce(
    (longest, line, index) => (line.trim().length > wanted[longest]!.trim().length ? index : longest),
    0,
  )
  return file
    .slice(0, 20_000)
    .map((line, index) => ({ index, score: alikeness(line.trim(), wanted[offset]!.trim()) }))
    .filter(({ index }) => index >= offset)
    .sort((left, right) => right.score - left.score)
    .slice(0, 10)
    .map(({ index }) => index - offset)
}

function firstDifference(file: string[], wanted: string[], start: number): string {
  for (const [index, line] of wanted.entries()) {
    const have = file[start + index]
    if (have === undefined) return ` (the file ends at line ${file.length})`
    if (withoutTail(have) === withoutTail(line)) continue
    if (have.trim() === line.trim()) return ` (differs in line ${start + index + 1}: the indent)`
    const [inFile, inOld] = differingWords(have, line)
    return ` (differs in line ${start + index + 1}: "${inFile}" where you wrote "${inOld}")`
  }
  return ''
}

/** The middle in which two lines differ, widened to whole words. */
function differingWords(have: string, wrote: string): [string, string] {
  let head = 0
  while (head < Math.min(have.length, wrote.length) && have[head] === wrote[head]) head += 1
  let tail = 0
  const most = Math.min(have.length, wrote.length) - head
  while (tail < most && have[have.length - 1 - tail] === wrote[wrote.length - 1 - tail]) tail += 1
  const isWord = (letter: string | undefined) => letter !== undefined && /[\w$]/.test(letter)
  while (head > 0 && isWord(have[head - 1])) head -= 1
  while (tail > 0 && isWord(have[have.length - tail])) tail -= 1
  const short = (text: string) => (text.length > 60 ? `${text.slice(0, 59)}…` : text.trim())
  return [short(have.slice(head, have.length - tail)), short(wrote.slice(head, wrote.length - tail))]
}
