/** What a model may be given of one result, and what the log keeps of it. */
export const resultBytes = 16 * 1024
export const detailBytes = 2 * 1024

const bytes = (text: string) => Buffer.byteLength(text)

/** Whole lines from the start (or the end) that fit into `limit` bytes; a single longer line is cut. */
function fitting(lines: string[], limit: number, fromEnd: boolean): string[] {
  const taken: string[] = []
  let left = limit
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[fromEnd ? lines.length - 1 - index : index]!
    const size = bytes(line) + 1
    if (size > left) {
      if (taken.length === 0) taken.push(cutLine(line, left, fromEnd))
      break
    }
    taken.push(line)
    left -= size
  }
  return fromEnd ? taken.reverse() : taken
}

function cutLine(line: string, limit: number, fromEnd: boolean): string {
  const whole = Buffer.from(line)
  // Cut inside a character leaves U+FFFD at the edge; it is dropped.
  const kept = (fromEnd ? whole.subarray(whole.length - limit) : whole.subarray(0, limit)).toString('utf8')
  return fromEnd ? `…${kept.replace(/^\ufffd+/, '')}` : `${kept.replace(/\ufffd+$/, '')}…`
}

/** Text of at most about `limit` bytes: its head and its tail, with a line between that says what is missing. */
export function cutMiddle(text: string, limit = resultBytes, hint = 'grep or read a range'): string {
  if (bytes(text) <= limit) return text
  const lines = text.split('\n')
  const head = fitting(lines, Math.floor(limit / 2), false)
  const tail = fitting(lines, Math.floor(limit / 2), true)
  const leftOut = lines.length - head.length - tail.length
  const gap =
    leftOut > 0 ? `… ${leftOut} lines left out; ${hint} …` : `… ${bytes(text) - limit} bytes left out; ${hint} …`
  return [...head, gap, ...tail].join('\n')
}

/** Lines as `read` shows them: right-aligned numbers, a bar, the text. */
export function numbered(lines: string[], first: number): string {
  return lines.map((line, index) => `${String(first + index).padStart(5)}│${cutLong(line)}`).join('\n')
}

const longestLine = 2_000
const cutLong = (line: string) =>
  line.length > longestLine ? `${line.slice(0, longestLine)}… (${line.length} characters)` : line

/** Lines of a text without their ends; a final line end opens no further line. */
export function linesOf(text: string): string[] {
  if (text === '') return []
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
export const oneLine = (text: string, limit = 120) => {
  const line = text.trim().split('\n')[0]!.trim()
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line
}

/** `+a −b` between two texts. Lines are counted as a set with repetition, so a moved line counts as no change. */
export function changeFigure(before: string, after: string): string {
  const counts = new Map<string, number>()
  for (const line of linesOf(before)) counts.set(line, (counts.get(line) ?? 0) + 1)
  let added = 0
  for (const line of linesOf(after)) {
    const left = counts.get(line) ?? 0
    if (left > 0) counts.set(line, left - 1)
    else added += 1
  }
  const removed = [...counts.values()].reduce((sum, count) => sum + count, 0)
  return `+${added} −${removed}`
}

/**
 * Text that others wrote, marked so that the model reads it as data. The closing mark cannot be written inside it.
 */
export function asData(kind: string, text: string): string {
  return `<data kind="${kind}">\n${text.replaceAll(/<(\/?)data\b/gi, '‹$1data')}\n</data>`
}
