// `make clean` removes what can be made again; with --data also what the embedded database and projects hold.
import { existsSync, realpathSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { root, say } from './shell.mjs'

const remove = (path) => {
  if (!existsSync(path)) return
  rmSync(path, { recursive: true, force: true })
  say(`removed ${path}`)
}

for (const name of ['frontend/dist', '.turbo', 'node_modules/.cache', 'e2e/results']) remove(join(root, name))
if (process.argv.includes('--data')) {
  const data = resolve(root, process.env.DATA_DIR || 'data')
  const postgres = join(data, 'postgres')
  if (existsSync(join(postgres, 'data/postmaster.pid'))) {
    say(`PostgreSQL still runs in ${postgres}: stop Guildhall first`)
    process.exit(1)
  }
  // For root the cluster may lie elsewhere, behind a link (its user could not reach the clone).
  if (existsSync(postgres)) remove(realpathSync(postgres))
  remove(data)
}
