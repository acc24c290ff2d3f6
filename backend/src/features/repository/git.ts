import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { conflict } from '../../platform/errors.ts'
import { devNull } from 'node:os'

/**
 * Settings that hold for every git process the platform starts. It only ever works on bare repositories that it wrote
 * itself; this is the second fence, should one of their files ever come from elsewhere.
 */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.quotePath=false',
  'core.precomposeUnicode=false',
  'diff.external=',
  'diff.renameLimit=1000',
  'gc.auto=0',
  'maintenance.auto=false',
  'protocol.allow=never',
  'i18n.logOutputEncoding=UTF-8',
  'log.showSignature=false',
  'commit.gpgSign=false',
].flatMap((setting) => ['-c', setting])

const environment = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: devNull,
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_GLOBAL: devNull,
  GIT_CONFIG_SYSTEM: devNull,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_PAGER: 'cat',
} as const

export interface GitCall {
  stdin?: Buffer | string
  env?: Record<string, string>
  timeoutMs?: number
  /** Standard output past this many bytes ends the process; `cut` is then true and what came before is kept. */
  maxBytes?: number
  /** Exit codes that are answers rather than failures. */
  answers?: number[]
}

export interface GitOutcome {
  code: number
  stdout: Buffer
  stderr: string
  cut: boolean
}

/** Git ended with a code that is no answer. `stderr` may hold text from a sandbox: show it, never act on it. */
export class GitError extends Error {
  readonly code: number | null
  readonly stderr: string

  constructor(args: readonly string[], code: number | null, stderr: string) {
    super(`git ${args[0] ?? ''} ended with ${code ?? 'a signal'}: ${stderr.trim().slice(0, 2_000)}`)
    this.name = 'GitError'
    this.code = code
    this.stderr = stderr
  }
}

/**
 * Runs git on one bare repository: an argument array, no shell, nothing of the host's own configuration, a time limit
 * and an output limit. Exit codes come back as they are, because `merge-tree` answers "conflict" with 1.
 */
export function git(repository: string, args: readonly string[], call: GitCall = {}): Promise<GitOutcome> {
  const { stdin, env = {}, timeoutMs = 60_000, maxBytes = 64 * 1024 * 1024, answers = [0] } = call
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...settings, ...args], {
      cwd: repository,
      env: { ...environment, GIT_DIR: repository, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const out: Buffer[] = []
    let size = 0
    let stderr = ''
    let cut = false
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => {
      if (cut) return
      const room = maxBytes - size
      if (chunk.length <= room) {
        out.push(chunk)
        size += chunk.length
        return
      }
      out.push(chunk.subarray(0, room))
      size = maxBytes
      cut = true
      child.kill('SIGKILL')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 64 * 1024) stderr += chunk.toString('utf8')
    })
    // Git may end before it has read everything (a refused pack): the exit code tells, not the broken pipe.
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin)
    child.on('error', (cause) => {
      clearTimeout(timer)
      // Node reports a missing working folder as if git itself were missing.
      const isNotMade = (cause as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync(repository)
      reject(
        isNotMade ? conflict('This project is still being made') : new Error('git could not be started', { cause }),
      )
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      if (isLate) return reject(new GitError(args, null, `stopped after ${timeoutMs} ms`))
      if (cut) return resolve({ code: code ?? 0, stdout: Buffer.concat(out), stderr, cut })
      if (code === null || !answers.includes(code)) return reject(new GitError(args, code, stderr))
      resolve({ code, stdout: Buffer.concat(out), stderr, cut })
    })
  })
}

/** The same, for answers that are short text. */
export async function gitText(repository: string, args: readonly string[], call: GitCall = {}): Promise<string> {
  const { stdout } = await git(repository, args, call)
  return stdout.toString('utf8').trim()
}
