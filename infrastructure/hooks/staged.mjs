// Formats and rules of what is about to be committed: the staged text itself, not what lies in the folder meanwhile.
import { execFileSync } from 'node:child_process'

const git = (...args) => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
const isCode = /\.(ts|tsx|mjs|js)$/
const names = git('diff', '--cached', '--name-only', '--diff-filter=ACMR', '-z').split('\0').filter(Boolean)

const prettier = await import('prettier')
const faults = []
const code = []
for (const name of names) {
  const { ignored, inferredParser } = await prettier.getFileInfo(name, { ignorePath: '.prettierignore' })
  if (ignored || !inferredParser) continue
  const text = git('show', `:${name}`)
  if (isCode.test(name)) code.push({ name, text })
  const options = { ...(await prettier.resolveConfig(name)), filepath: name }
  const isFormatted = await prettier.check(text, options).catch((error) => {
    faults.push(`${name}: ${error.message.split('\n', 1)[0]}`)
    return true
  })
  if (!isFormatted) faults.push(`${name}: not formatted`)
}

if (code.length > 0) {
  const { ESLint } = await import('eslint')
  const eslint = new ESLint()
  for (const { name, text } of code)
    for (const { messages } of await eslint.lintText(text, { filePath: name, warnIgnored: false }))
      for (const { line, message } of messages) faults.push(`${name}:${line ?? 1}: ${message}`)
}

if (faults.length > 0) {
  console.error(
    `${faults.join('\n')}\nThe commit was refused. npm run format:write puts the format right; then git add.`,
  )
  process.exitCode = 1
}
