import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { useHooks } from '../scripts/hooks.mjs'
import { root } from '../scripts/shell.mjs'

let clone
const inClone = (command, ...args) => execFileSync(command, args, { cwd: clone, encoding: 'utf8' })
const write = (name, text) => writeFileSync(join(clone, name), text)
const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }

/** A repository with our settings and dependencies, as a clone after its set-up. */
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'guildhall-hooks-'))
  inClone('git', 'init', '--quiet')
  for (const name of ['infrastructure/hooks', '.prettierrc.json', '.prettierignore', 'eslint.config.mjs'])
    cpSync(join(root, name), join(clone, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  write('package.json', '{ "type": "module" }\n')
})
afterEach(() => rmSync(clone, { recursive: true, force: true }))

function commit(...names) {
  inClone('git', 'add', ...names)
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org']
  const { status, stderr } = spawnSync('git', [...who, 'commit', '-m', 'test'], { cwd: clone, encoding: 'utf8', env })
  return { isRefused: status !== 0, said: stderr }
}

test('a commit that is ill-formatted or breaks a rule is refused by name; put right, it is taken', () => {
  expect(useHooks(clone)).toBe(true)
  write('ugly.ts', 'export const a  =  1;\n')
  write('rule.ts', 'export const b: any = 1\n')
  write('picture.bin', '\0\x01')
  const first = commit('ugly.ts', 'rule.ts', 'picture.bin')
  expect(first.isRefused).toBe(true)
  expect(first.said).toContain('ugly.ts: not formatted')
  expect(first.said).toContain('rule.ts:1: Unexpected any')
  write('ugly.ts', 'export const a = 1\n')
  write('rule.ts', 'export const b: number = 1\n')
  expect(commit('ugly.ts', 'rule.ts')).toMatchObject({ isRefused: false })
})

test('what counts is what is staged, not what the folder holds by now', () => {
  useHooks(clone)
  write('a.ts', 'export const a = 1\n')
  inClone('git', 'add', 'a.ts')
  write('a.ts', 'half   written')
  write('b.md', '# b\n')
  expect(commit('b.md')).toMatchObject({ isRefused: false })
})

test('hooks somebody chose stay, and a folder that is no repository of its own is left alone', () => {
  const inside = join(clone, 'unpacked')
  mkdirSync(inside)
  expect(useHooks(inside)).toBe(false)
  inClone('git', 'config', 'core.hooksPath', 'mine')
  expect(useHooks(clone)).toBe(false)
  expect(inClone('git', 'config', 'core.hooksPath').trim()).toBe('mine')
})
