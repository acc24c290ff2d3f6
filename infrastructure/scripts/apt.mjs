// Packages of a Debian-like system, where we may install them: as root, or with a sudo that asks for no password.
import { existsSync } from 'node:fs'
import { read, run, say } from './shell.mjs'

const isDebianLike = () => process.platform === 'linux' && existsSync('/usr/bin/apt-get')

/** The words before a command that needs root, or null where we must not. */
export function asRoot() {
  if (process.getuid?.() === 0) return []
  return read('sudo', ['-n', 'true']) === null ? null : ['sudo', '-n']
}

export const canInstall = () => isDebianLike() && asRoot() !== null

/** Installs by name and says so first. Answers whether it worked. */
export async function install(packages) {
  say(`Installing from the system's packages: ${packages.join(' ')}`)
  const before = [...asRoot(), 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y']
  const apt = (...words) => run(before[0], [...before.slice(1), ...words])
  const add = async () => (await apt('install', '--no-install-recommends', ...packages)) === 0
  // The list may be empty (an image) or so old that its files are gone: then it is fetched.
  if (packages.every(isKnown) && (await add())) return true
  await apt('update')
  return add()
}

export const isKnown = (name) => /Candidate: \d/.test(read('apt-cache', ['policy', name]) ?? '')

/** The line a person can copy where we may not do it ourselves. */
export const installLine = (packages) => `sudo apt-get install ${packages.join(' ')}`
export { isDebianLike }
