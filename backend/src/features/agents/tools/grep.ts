import { outputOf } from './exec.ts'
import { fence } from './paths.ts'
import { cutMiddle } from './text.ts'
import { defineTool, done, refuse, type ToolContext, type ToolOutcome } from './tool.ts'

const usualMax = 100

export const grep = defineTool({
  name: 'grep',
  description:
    'Searches the files of your work tree with a ripgrep pattern. Files that git ignores are left out. Answers `path:line│text`.',
  call({ pattern, path = '.', glob, context: around = 0, max = usualMax }, context) {
    const fenced = fence(path, context.root)
    if ('refusal' in fenced) return fenced
    const argv = ['rg', '--null', '--line-number', '--no-heading', '--with-filename', '--color=never', '--sort=path']
    argv.push('--hidden', '--glob=!.git', '--max-columns=400', '--max-columns-preview', `--context=${around}`)
    if (glob) argv.push(`--glob=${glob}`)
    argv.push('--regexp', pattern, '--', fenced.path)
    const run = () => search(context, argv, pattern, max)
    return { title: `grep ${pattern}${fenced.path === '.' ? '' : ` in ${fenced.path}`}`, run, resume: run }
  },
})

async function search(context: ToolContext, argv: string[], pattern: string, max: number): Promise<ToolOutcome> {
  const outcome = await context.session.exec({
    argv,
    cwd: context.root,
    timeoutMs: 30_000,
    maxBytes: 4 * 1_048_576,
    signal: context.signal,
  })
  if (outcome.exitCode === 1) return done(`Nothing matches \`${pattern}\`.`, { figure: '0 matches' })
  if (outcome.exitCode !== 0)
    return refuse(`grep did not run: ${outputOf(outcome).slice(0, 1_000)}\nCorrect the pattern or the path.`)

  const lines = outcome.stdout.toString('utf8').split('\n').map(shown)
  const matches = lines.filter(({ isMatch }) => isMatch).length
  const kept = upToMatch(lines, max)
  const more = matches > max ? `\n… ${matches - max} more matches; narrow the pattern, path or glob …` : ''
  const text = kept
    .map(({ text: line }) => line)
    .join('\n')
    .trimEnd()
  return done(`${matches} matches\n${cutMiddle(text)}${more}`, { figure: `${matches} matches` })
}

/** `path NUL line : text` of ripgrep; a line of context has a dash for the colon. */
function shown(line: string): { text: string; isMatch: boolean } {
  const parts = /^([^\0]+)\0(\d+)([:-])(.*)$/.exec(line)
  if (!parts) return { text: line === '--' ? '--' : line, isMatch: false }
  const [, path, number, mark, text] = parts
  return { text: `${path!.replace(/^\.\//, '')}${mark}${number}│${text}`, isMatch: mark === ':' }
}

function upToMatch(lines: { text: string; isMatch: boolean }[], max: number) {
  let count = 0
  const end = lines.findIndex(({ isMatch }) => isMatch && ++count > max)
  return end === -1 ? lines : lines.slice(0, end)
}
