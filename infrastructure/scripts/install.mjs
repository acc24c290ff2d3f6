// Dependencies and the page, each only when something changed since the last time.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, say } from './shell.mjs'

const stamp = join(root, 'node_modules/.guildhall-installed')

/** What node_modules was made from, as far as it matters. */
function fingerprint() {
  const lock = readFileSync(join(root, 'package-lock.json'))
  return createHash('sha256').update(lock).update(`${process.platform}-${process.arch}`).digest('hex')
}

export const isInstalled = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint()

/** `npm ci` without install scripts (see .npmrc): every package we use brings its binaries or needs none. */
export async function installDependencies() {
  if (isInstalled()) return true
  say('Installing the dependencies (npm ci)')
  if ((await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])) !== 0) return false
  writeFileSync(stamp, fingerprint())
  return true
}

/** turbo knows what a task reads and brings the outcome back from its cache when nothing changed. Quiet unless it fails. */
export function turbo(task) {
  const { status, stdout, stderr } = spawnSync(
    join(root, 'node_modules/.bin/turbo'),
    ['run', task, '--output-logs=errors-only'],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 },
  )
  if (status !== 0) say(`${stdout}${stderr}`)
  return status === 0
}
