import { changeFile } from './change.ts'
import { decodeText } from './files.ts'
import { fence } from './paths.ts'
import { changeFigure, linesOf } from './text.ts'
import { defineTool } from './tool.ts'

export const write = defineTool({
  name: 'write',
  description: 'Makes a new file, or replaces a whole file you have read. For a part of a file use edit.',
  call({ path, content }, context) {
    const fenced = fence(path, context.root)
    if ('refusal' in fenced) return fenced
    if (fenced.path === '.') return { refusal: '`.` is the work tree itself. Name a file.' }
    return changeFile(`write ${fenced.path}`, fenced.path, context, (file) => {
      const bytes = Buffer.from(content)
      const figure = changeFigure(file ? (decodeText(file.bytes) ?? '') : '', content)
      const verb = file ? 'replaced' : 'wrote'
      return { bytes, figure, text: `${verb} ${fenced.path} · ${linesOf(content).length} lines · ${figure}` }
    })
  },
})
