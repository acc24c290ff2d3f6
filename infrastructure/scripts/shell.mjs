// What the scripts here share: running things, and saying what happens.
import { spawn, spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')
const isTerminal = process.stdout.isTTY === true
const paint = (code, text) => (isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text)

export const bold = (text) => paint(1, text)
export const red = (text) => paint(31, text)
export const green = (text) => paint(32, text)
export const say = (text) => process.stdout.write(`${text}\n`)
export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`

/** Runs with its output shown as it comes; answers the exit code. */
export function run(command, args, { env = {}, cwd = root } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    child.on('error', (error) => {
      say(`${command}: ${error.message}`)
      done(127)
    })
    child.on('exit', (code) => done(code ?? 1))
  })
}

/** What a command prints, or null when it is missing or fails. */
export function read(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

export const has = (command) => read('sh', ['-c', 'command -v "$1"', 'sh', command]) !== null
