// `make test`: installs what the tests need, then runs every check there is. The last line is `N passed, N failed`.
// Nothing is skipped: a test that cannot reach its real service fails.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canInstall, install, installLine, isDebianLike } from './apt.mjs'
import { ensureEngine } from './engine.mjs'
import { installDependencies, turbo } from './install.mjs'
import { bold, green, has, read, red, root, run, say, seconds } from './shell.mjs'

process.env.CI ??= 'true'
const reports = mkdtempSync(join(tmpdir(), 'guildhall-reports-'))
const bin = (name) => join(root, 'node_modules/.bin', name)
/** `{ title, passed, failed, skipped, ms }` a step, in order. */
const results = []

/** A step tells its own counts, or true / false for one check. */
async function step(title, work) {
  say(`\n${bold(`── ${title}`)}`)
  const began = Date.now()
  const answer = await work().catch((error) => {
    say(error.stack)
    return false
  })
  const counts = typeof answer === 'boolean' ? { passed: Number(answer), failed: Number(!answer), skipped: 0 } : answer
  results.push({ title, ...counts, ms: Date.now() - began })
  return counts.failed === 0
}

const command = (name, args) => async () => (await run(name, args)) === 0

async function vitest(folder) {
  const file = join(reports, `${folder.replaceAll('/', '-')}.json`)
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const code = await run(bin('vitest'), args, { cwd: join(root, folder) })
  if (!existsSync(file)) return false
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(file))
  // A file that could not be loaded holds no test that failed; neither does a fault outside of any test.
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.length,
  )
  const failed = numFailedTests + brokenFiles.length
  const skipped = numPendingTests + numTodoTests
  return { passed: numPassedTests, skipped, ...failures(failed, code) }
}

/** All tests green and still no success: an error that nobody caught. It counts as one more test. */
const failures = (failed, code) =>
  failed === 0 && code !== 0 ? { failed: 1, note: 'an error outside of every test, see above' } : { failed }

async function playwright() {
  const file = join(reports, 'e2e.json')
  const chromium = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => read('which', [name])).find(Boolean)
  const env = { PLAYWRIGHT_JSON_OUTPUT_NAME: file, ...(chromium && { GUILDHALL_CHROMIUM: chromium }) }
  const code = await run(bin('playwright'), ['test'], { cwd: join(root, 'e2e'), env })
  if (!existsSync(file)) return false
  const { expected, unexpected, flaky, skipped } = JSON.parse(readFileSync(file)).stats
  const failed = unexpected + flaky
  return { passed: expected, skipped, ...failures(failed, code) }
}

/** What the tests use, and the package it comes in. */
const needs = {
  git: 'git',
  rg: 'ripgrep',
  'redis-server': 'redis-server',
  chromium: 'chromium',
  debootstrap: 'debootstrap',
}

async function installNeeds() {
  // Only Debian puts a sandbox base together from packages; elsewhere the engine builds it from an image.
  const missing = Object.keys(needs).filter((name) => !has(name) && (name !== 'debootstrap' || isDebianLike()))
  if (missing.length === 0) return true
  const packages = missing.map((name) => needs[name])
  if (canInstall()) return install(packages)
  say(
    `The tests need ${missing.join(', ')}. Install them and try again${isDebianLike() ? `: ${installLine(packages)}` : '.'}`,
  )
  return false
}

async function engine() {
  const found = await ensureEngine()
  say(found.text + (found.help ? `\n${found.help}` : ''))
  return found.ok
}

const isReady = (await step('what the tests need', installNeeds)) && (await step('dependencies', installDependencies))
if (isReady) {
  await step('container engine', engine)
  await step('sandbox image', command('sh', ['infrastructure/sandbox/build.sh']))
  await step('format', command(bin('prettier'), ['--check', '--log-level', 'warn', '.']))
  await step('lint', command(bin('eslint'), ['.', '--max-warnings', '0']))
  await step('types', async () => turbo('types'))
  await step('layers', command('node', ['infrastructure/scripts/check-layers.mjs']))
  await step('build', async () => turbo('build'))
  await step('tests of the hooks', () => vitest('infrastructure/hooks'))
  for (const folder of ['packages/protocol', 'backend', 'infrastructure/sandbox/supervisor', 'frontend']) {
    const { scripts } = JSON.parse(readFileSync(join(root, folder, 'package.json')))
    if (scripts.test) await step(`tests of ${folder}`, () => vitest(folder))
  }
  await step('end to end', playwright)
}
rmSync(reports, { recursive: true, force: true })

say('')
for (const { title, passed, failed, skipped, ms, note } of results) {
  const mark = failed > 0 ? red('✗') : green('✓')
  const extra = `${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}${note ? ` (${note})` : ''}`
  say(`${mark} ${title.padEnd(42)} ${seconds(ms).padStart(8)}   ${passed} passed${extra}`)
}
const sum = (key) => results.reduce((total, result) => total + result[key], 0)
const skipped = sum('skipped')
say(`${skipped} skipped, ${seconds(sum('ms'))}`)
if (skipped > 0) say(red('Nothing may be skipped here: what a test needs is installed above, or the test fails.'))
say(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') > 0 || skipped > 0 ? 1 : 0
