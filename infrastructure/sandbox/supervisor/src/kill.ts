import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Set in the environment of everything we start, so that what left its process group is still found. */
const markName = 'GUILDHALL_TREE'

export type Mark = string
export const newMark = (): Mark => randomBytes(12).toString('hex')
export const marked = (env: Record<string, string>, mark: Mark): Record<string, string> => ({
  ...env,
  [markName]: mark,
})

/**
 * Signals the whole group of `pid` and, where /proc tells, every process that inherited the mark: a child that called
 * setsid is in another group but still ours. Processes that are gone already are no error.
 */
export function killTree(pid: number, mark: Mark, signal: NodeJS.Signals): void {
  signalQuietly(-pid, signal)
  for (const other of bearersOf(mark)) if (other !== pid) signalQuietly(other, signal)
}

/** The kernel takes what the project runs before it takes the supervisor, when memory ends. */
export function offerToOutOfMemoryKiller(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '900')
  } catch (error) {
    // The process may be gone, and other systems have no such file: both leave things as they are.
    if (!isGone(error)) throw error
  }
}

function bearersOf(mark: Mark): number[] {
  const wanted = `${markName}=${mark}`
  const found: number[] = []
  for (const name of listProcesses()) {
    try {
      if (readFileSync(`/proc/${name}/environ`, 'latin1').includes(wanted)) found.push(Number(name))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
  return found
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

const goneCodes = new Set(['ESRCH', 'ENOENT', 'EACCES', 'EPERM', 'ENOTDIR', 'EINVAL'])
const isGone = (error: unknown) => goneCodes.has((error as NodeJS.ErrnoException).code ?? '')
