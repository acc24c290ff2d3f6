// `make doctor`: one line a thing, ok or missing, and what to do. Changes nothing.
import { has, green, red, say } from './shell.mjs'
import { inspect } from './inspect.mjs'
import { isInstalled } from './install.mjs'

const found = inspect()
const dependencies = isInstalled()
found.push({ name: 'dependencies', ok: dependencies, text: dependencies ? 'installed' : 'make start installs them' })
if (process.env.ENGINE === 'none') found.push({ name: 'containers', ok: null, text: 'ENGINE=none' })
else if (dependencies) {
  const { lookForEngine } = await import('./engine.mjs')
  found.push({
    name: 'containers',
    help: 'make start installs Docker where it may, else names the command',
    ...(await lookForEngine()),
  })
} else found.push({ name: 'containers', ok: null, text: 'looked for once the dependencies are there' })
for (const [command, use] of [
  ['redis-server', 'make test'],
  ['chromium', 'make test'],
]) {
  const ok = has(command) || null
  found.push({ name: command, ok, text: ok ? 'there' : `only ${use} needs it` })
}

for (const { name, ok, text, help } of found) {
  const mark = ok ? green('ok     ') : ok === null ? '-      ' : red('missing')
  say(`${mark} ${name.padEnd(14)} ${text}${ok === false && help ? `  → ${help}` : ''}`)
}
process.exit(found.some(({ ok }) => ok === false) ? 1 : 0)
