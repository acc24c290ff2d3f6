import { fence, nearestPaths } from './paths.ts'
import { decodeText, listFiles, shortHash, sizeText } from './files.ts'
import { numbered, resultBytes } from './text.ts'
import { defineTool, done, refuse, type ToolContext, type ToolOutcome } from './tool.ts'

const defaultLines = 2_000

export const read = defineTool({
  name: 'read',
  description:
    'Reads a text file of your work tree with line numbers. Give offset and limit for a part of a long file. Read a file before you edit it.',
  call({ path, offset = 1, limit = defaultLines }, context) {
    const fenced = fence(path, context.root)
    if ('refusal' in fenced) return fenced
    const run = () => readLines(context, fenced.path, offset, limit)
    const range = offset > 1 || limit < defaultLines ? `:${offset}–${offset + limit - 1}` : ''
    return { title: `read ${fenced.path}${range}`, run, resume: run }
  },
})

async function readLines(context: ToolContext, path: string, offset: number, limit: number): Promise<ToolOutcome> {
  const file = await context.session.readFile(`${context.root}/${path}`)
  if (!file) return refuse(await missing(context, path))
  const seen = { path, hash: file.hash }
  const text = decodeText(file.bytes)
  if (text === null) {
    const kind = file.bytes.subarray(0, 4).toString('hex') === '89504e47' ? 'PNG image' : 'binary'
    return done(`${path} · ${kind} · ${sizeText(file.bytes.length)} · hash ${shortHash(file.hash)}`, { seen })
  }
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  if (lines.length === 0) return done(`${path} · empty · hash ${shortHash(file.hash)}`, { seen })
  if (offset > lines.length)
    return refuse(`${path} has ${lines.length} lines. read it with an offset of at most ${lines.length}.`)

  const wanted = lines.slice(offset - 1, offset - 1 + limit)
  let size = 0
  let count = 0
  while (count < wanted.length && (count === 0 || size + wanted[count]!.length + 7 < resultBytes)) {
    size += Buffer.byteLength(wanted[count]!) + 7
    count += 1
  }
  const last = offset + count - 1
  const header = `${path} · lines ${offset}–${last} of ${lines.length} · hash ${shortHash(file.hash)}`
  const rest = last < lines.length ? `\n… ${lines.length - last} lines follow; read from offset ${last + 1} …` : ''
  return done(`${header}\n${numbered(wanted.slice(0, count), offset)}${rest}`, {
    seen,
    figure: count === 1 ? '1 line' : `${count} lines`,
  })
}

async function missing(context: ToolContext, path: string): Promise<string> {
  const names = nearestPaths(path, await listFiles(context.session, context.root, context.signal))
  const hint =
    names.length > 0 ? `Nearest names: ${names.join(', ')}.` : 'No name is like it; grep for what you look for.'
  return `${path} is not there, or is a folder. ${hint}`
}
