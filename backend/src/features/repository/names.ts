import { Sha } from '@guildhall/protocol/ids.ts'
import { AppError, invalid } from '../../platform/errors.ts'

const part = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?'
const branchName = new RegExp(`^${part}(?:/${part}){0,9}$`)

/**
 * Narrower than git's own rule: letters, digits, `. _ -`, parts that start with a letter or digit. A branch name is also
 * a folder under /workspace and a word in a command line, so nothing that means something to either gets in.
 */
export function isBranchName(name: string): boolean {
  if (name.length > 200 || !branchName.test(name) || name === 'HEAD' || name.includes('..')) return false
  return name.split('/').every((word) => !word.toLowerCase().endsWith('.lock') && word.toLowerCase() !== '.git')
}

/** Throws `invalid` for anything that is not a plain branch name. */
export function checkedBranch(name: string): string {
  if (!isBranchName(name)) throw invalid('Not a branch name', { branch: 'letters, digits, and . _ - / between them' })
  return name
}

export const isSha = (text: string): text is Sha => Sha.safeParse(text).success

/** Throws `invalid`: object ids reach git's argument list, so their shape is checked even inside the house. */
export function checkedSha(text: string): Sha {
  if (!isSha(text)) throw invalid('Not a full commit id')
  return text
}

export const branchRef = (branch: string) => `refs/heads/${checkedBranch(branch)}`

/** Where a branch's work in progress is kept, in the bare repository and in the clone. */
export const wipRef = (branch: string) => `refs/wip/${checkedBranch(branch)}`

/** Throws `invalid` for a path that could not be a file of a repository. */
export function checkedPath(path: string): string {
  const parts = path.split('/')
  const isFine =
    path.length > 0 &&
    path.length <= 1_000 &&
    !/[\0\n\r]/.test(path) &&
    parts.every((word) => word !== '' && word !== '.' && word !== '..' && word.toLowerCase() !== '.git')
  if (!isFine) throw new AppError('invalid', 'Not a path inside the repository')
  return path
}
