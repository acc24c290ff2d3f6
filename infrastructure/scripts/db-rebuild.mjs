// Before the first release: makes migrations/0000_initial.sql anew from the tables and keeps the hand-written files.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const backend = resolve(import.meta.dirname, '../../backend')
const folder = join(backend, 'migrations')
const byHand = readdirSync(folder)
  .filter((name) => name.endsWith('.sql') && !name.startsWith('0000_'))
  .sort()

rmSync(join(folder, 'meta'), { recursive: true, force: true })
rmSync(join(folder, '0000_initial.sql'), { force: true })
execFileSync('npx', ['drizzle-kit', 'generate', '--name', 'initial'], { cwd: backend, stdio: 'inherit' })

const journalFile = join(folder, 'meta/_journal.json')
const journal = JSON.parse(readFileSync(journalFile, 'utf8'))
const [initial] = journal.entries
for (const [index, name] of byHand.entries()) {
  journal.entries.push({ ...initial, idx: index + 1, when: initial.when + index + 1, tag: name.replace(/\.sql$/, '') })
}
writeFileSync(journalFile, JSON.stringify(journal, null, 2) + '\n')
console.log(`0000_initial.sql is new; kept: ${byHand.join(', ')}`)
