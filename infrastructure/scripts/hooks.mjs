// Points git at the hooks of this clone.
import { execFileSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { root } from './shell.mjs'

const hooks = 'infrastructure/hooks'

/**
 * Only where `folder` is a repository of its own (a tarball is none, nor is one unpacked inside another repository) and
 * nobody has chosen other hooks. Answers whether they are in use.
 */
export function useHooks(folder = root) {
  const git = (...args) => {
    try {
      return execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      return null
    }
  }
  const top = git('rev-parse', '--show-toplevel')
  if (top === null || realpathSync(top) !== realpathSync(folder)) return false
  const chosen = git('config', 'core.hooksPath')
  if (chosen !== null) return chosen === hooks
  return git('config', 'core.hooksPath', hooks) !== null
}
