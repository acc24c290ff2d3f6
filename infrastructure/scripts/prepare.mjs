// `make start`, the part before the product: dependencies, page, container engine; says what it found.
import { useHooks } from './hooks.mjs'
import { inspect } from './inspect.mjs'
import { ensureEngine } from './engine.mjs'
import { installDependencies, turbo } from './install.mjs'
import { say, seconds } from './shell.mjs'

const began = Date.now()
if (!(await installDependencies())) fail('The dependencies could not be installed. Is the npm registry reachable?')
useHooks()
if (!turbo('build')) fail('The page could not be built.')
const engine = await ensureEngine()

// The rehearsal brings its own model: `prepare.mjs demo` says nothing of keys.
const isDemo = process.argv[2] === 'demo'
for (const { name, text } of inspect().filter(({ name }) => !(isDemo && name === 'models')))
  say(`  ${name.padEnd(17)} ${text}`)
say(`  ${'containers'.padEnd(17)} ${engine.text}`)
if (engine.help) say(`  ${''.padEnd(17)} ${engine.help}`)
say(`  ${'ready after'.padEnd(17)} ${seconds(Date.now() - began)}`)

function fail(text) {
  say(text)
  process.exit(1)
}
