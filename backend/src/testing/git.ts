import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A folder of its own under the system's temporary one; `close` removes it. */
export async function freshFolder(): Promise<{ path: string; close(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'guildhall-'))
  return { path, close: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) }
}

export async function writeFiles(folder: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

const person = {
  GIT_AUTHOR_NAME: 'Somebody',
  GIT_AUTHOR_EMAIL: 'somebody@example.org',
  GIT_COMMITTER_NAME: 'Somebody',
  GIT_COMMITTER_EMAIL: 'somebody@example.org',
}

/** Real git in a folder, as anyone would use it; answers its output without the last line end. */
export async function gitIn(folder: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const running = run('git', args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', ...person, ...env },
    maxBuffer: 64 * 1024 * 1024,
    timeout: 20_000,
  })
  running.child.stdin?.end()
  const { stdout } = await running
  return stdout.replace(/\n$/, '')
}

/** Writes files and commits everything; answers the commit. */
export async function commitIn(
  folder: string,
  files: Record<string, string>,
  { message = 'chore: change', role }: { message?: string; role?: string } = {},
): Promise<string> {
  await writeFiles(folder, files)
  await gitIn(folder, ['add', '-A'])
  const author: Record<string, string> = role
    ? { GIT_AUTHOR_NAME: role, GIT_AUTHOR_EMAIL: `${role}@crew.guildhall` }
    : {}
  await gitIn(folder, ['commit', '-q', '--no-verify', '-m', message], author)
  return gitIn(folder, ['rev-parse', 'HEAD'])
}
