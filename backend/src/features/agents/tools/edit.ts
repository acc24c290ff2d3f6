import { changeFile } from './change.ts'
import { decodeText } from './files.ts'
import { replaceText } from './matching.ts'
import { fence } from './paths.ts'
import { changeFigure, linesOf, numbered } from './text.ts'
import { defineTool } from './tool.ts'

const around = 3
const shownLines = 60

export const edit = defineTool({
  name: 'edit',
  description:
    'Replaces a piece of a file you have read. `old` is the exact text as it stands there, with enough lines around it to occur once; `new` takes its place.',
  call({ path, old, new: next, all = false }, context) {
    const fenced = fence(path, context.root)
    if ('refusal' in fenced) return fenced
    return changeFile(`edit ${fenced.path}`, fenced.path, context, (file) => {
      if (!file) return { refusal: `${fenced.path} is not there. Make it with write, or read for the right name.` }
      const content = decodeText(file.bytes)
      if (content === null) return { refusal: `${fenced.path} is not UTF-8 text. Change it with a command in shell.` }
      const replaced = replaceText({ path: fenced.path, content, old, next, all })
      if (replaced.kind === 'refused') return { refusal: replaced.reason }

      const figure = changeFigure(content, replaced.content)
      const lines = linesOf(replaced.content)
      const from = Math.max(1, replaced.firstLine - around)
      const to = Math.min(lines.length, replaced.firstLine + replaced.newLines - 1 + around, from + shownLines)
      const note = { exact: '', spacing: ' · spaces at line ends ignored', indent: ' · moved to the indent there' }
      return {
        bytes: Buffer.from(replaced.content),
        figure,
        text: `edited ${fenced.path} · ${figure}${note[replaced.looseness]}\n${numbered(lines.slice(from - 1, to), from)}`,
      }
    })
  },
})
