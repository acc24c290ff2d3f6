import { randomBytes } from 'node:crypto'
import { chmod, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { commitIn, freshFolder, gitIn, writeFiles } from '../../testing/git.ts'
import { diffOf, patchText, pathsBetween } from './diff.ts'
import { commitsOf, fileAt, logPage, treeEntries } from './history.ts'

const lines = (count: number, word = 'line') =>
  Array.from({ length: count }, (_, n) => `${word} ${n}`).join('\n') + '\n'

let close: () => Promise<void>
let root: string
let folder: string
let count = 0
beforeAll(async () => {
  ;({ path: root, close } = await freshFolder())
})
afterAll(() => close())
beforeEach(async () => {
  folder = join(root, `r${count++}`)
  await writeFiles(folder, { 'keep.txt': 'keep\n' })
  await gitIn(folder, ['init', '-q', '-b', 'main'])
})

/** The change of a second commit, read by us from the repository's own folder. */
async function change(before: Record<string, string>, act: () => Promise<unknown>) {
  const from = await commitIn(folder, before)
  await act()
  const to = await commitIn(folder, {})
  return { from, to, diff: await diffOf(join(folder, '.git'), from, to) }
}

/** Counts as git's own `--numstat` says them. */
async function counted(from: string, to: string): Promise<string[]> {
  const text = await gitIn(folder, ['diff', '-M', '--numstat', from, to])
  return text.split('\n').map((line) => line.split('\t').slice(0, 2).join(' '))
}

describe('a diff', () => {
  test('names added, changed, deleted and renamed files with git’s own counts', async () => {
    const { from, to, diff } = await change(
      { 'a.txt': lines(20), 'b.txt': lines(30, 'b'), 'gone.txt': 'gone\n' },
      async () => {
        await writeFiles(folder, { 'a.txt': lines(20).replace('line 10', 'changed'), 'new.txt': 'new\n' })
        await rename(join(folder, 'b.txt'), join(folder, 'moved.txt'))
        await rm(join(folder, 'gone.txt'))
      },
    )
    expect(diff.files.map(({ path, oldPath, status }) => [path, oldPath, status])).toEqual([
      ['a.txt', null, 'modified'],
      ['gone.txt', null, 'deleted'],
      ['moved.txt', 'b.txt', 'renamed'],
      ['new.txt', null, 'added'],
    ])
    expect(diff.files.map(({ additions, deletions }) => `${additions} ${deletions}`)).toEqual(await counted(from, to))
    expect(diff.files[0]!.hunks).toHaveLength(1)
    expect(diff.files[0]!.hunks[0]!.lines.filter(({ kind }) => kind !== 'context')).toEqual([
      { kind: 'removed', text: 'line 10', oldLine: 11, newLine: null },
      { kind: 'added', text: 'changed', oldLine: null, newLine: 11 },
    ])
    expect(await pathsBetween(join(folder, '.git'), from, to)).toEqual([
      'a.txt',
      'b.txt',
      'gone.txt',
      'moved.txt',
      'new.txt',
    ])
  })

  test('text that looks like a patch stays text', async () => {
    const trick = 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n-old\n+new\n'
    const { diff } = await change({ 'a.txt': 'first\n', 'z.txt': 'z\n' }, () =>
      writeFiles(folder, { 'a.txt': trick, 'z.txt': 'zz\n' }),
    )
    expect(diff.files.map(({ path }) => path)).toEqual(['a.txt', 'z.txt'])
    const added = diff.files[0]!.hunks[0]!.lines.filter(({ kind }) => kind === 'added').map(({ text }) => text)
    expect(`${added.join('\n')}\n`).toBe(trick)
    expect(diff.files[1]!.hunks[0]!.lines).toHaveLength(2)
  })

  test('file names with line ends, tabs, quotes, dashes and shell words are exact', async () => {
    const names = ['a\nb.txt', 'tab\there', 'quo"te', "it's", '-rf', '$(touch x)', 'a;b', 'ünï', 'a b', '--output=x']
    const { diff } = await change({}, async () => {
      for (const name of names) await writeFile(join(folder, name), `${name.length}\n`)
    })
    expect(diff.files.map(({ path }) => path).sort()).toEqual([...names].sort())
    expect(diff.files.every(({ hunks }) => hunks.length === 1)).toBe(true)
  })

  test('binary files, modes, empty files, missing line ends and a file that became a link', async () => {
    const { diff } = await change({ 'run.sh': 'x\n', 'end.txt': 'a\nb', 'kind.txt': 'kind\n' }, async () => {
      await writeFile(join(folder, 'bin'), randomBytes(2_000))
      await writeFiles(folder, { empty: '', 'end.txt': 'a\nb\nc' })
      await chmod(join(folder, 'run.sh'), 0o755)
      await rm(join(folder, 'kind.txt'))
      await symlink('keep.txt', join(folder, 'kind.txt'))
    })
    const found = Object.fromEntries(diff.files.map((file) => [file.path, file]))
    expect(found['bin']).toMatchObject({ binary: true, hunks: [], additions: 0 })
    expect(found['empty']).toMatchObject({ status: 'added', hunks: [] })
    expect(found['run.sh']).toMatchObject({ status: 'modified', hunks: [] })
    expect(found['end.txt']!.hunks[0]!.lines.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
      'context a',
      'removed b',
      'added b',
      'added c',
    ])
    expect(found['kind.txt']).toMatchObject({ status: 'modified' })
    expect(found['kind.txt']!.hunks.flatMap((hunk) => hunk.lines.map(({ text }) => text))).toEqual(['kind', 'keep.txt'])
  })

  test('past 2 MB of patch the remaining files keep their counts and lose their hunks', async () => {
    const { diff, from, to } = await change({}, () =>
      writeFiles(folder, { 'a.txt': 'small\n', 'b.txt': lines(200_000), 'c.txt': lines(10) }),
    )
    expect(diff.truncated).toBe(true)
    expect(diff.files.map(({ additions, hunks }) => [additions, hunks.length])).toEqual([
      [1, 1],
      [200_000, 0],
      [10, 0],
    ])
    const text = await patchText(join(folder, '.git'), from, to, 5_000)
    expect(text.length).toBeLessThan(5_100)
    expect(text).toContain('cut at 5000 bytes')
  })
})

describe('history', () => {
  test('reads the role from the author’s address, pages without shifting, and keeps odd messages apart', async () => {
    await commitIn(folder, { a: '1' }, { message: 'feat: one\n\nbody line\n\nRefs: x', role: 'engineer' })
    await commitIn(folder, { a: '2' }, { message: 'feat: "two" $(x)', role: 'root' })
    const head = await commitIn(folder, { a: '3' }, { message: 'fix: three', role: 'architect' })
    const git = join(folder, '.git')
    const all = await commitsOf(git, { head, limit: 10 })
    expect(all.map(({ subject, body, role }) => [subject, body, role])).toEqual([
      ['fix: three', '', 'architect'],
      ['feat: "two" $(x)', '', null],
      ['feat: one', 'body line\n\nRefs: x', 'engineer'],
    ])
    const first = await logPage(git, { head, cursor: undefined, limit: 2 })
    await commitIn(folder, { a: '4' })
    const second = await logPage(git, { head, cursor: first.nextCursor!, limit: 2 })
    expect([...first.items, ...second.items]).toEqual(all)
    expect(second.nextCursor).toBeNull()
    await expect(logPage(git, { head, cursor: '--all', limit: 2 })).rejects.toMatchObject({ code: 'bad_request' })
  })

  test('a tree and a file are read as they were, links as text, binaries and paths outside not at all', async () => {
    await symlink('/etc/passwd', join(folder, 'link'))
    await writeFile(join(folder, 'bin'), Buffer.from([1, 0, 2]))
    const head = await commitIn(folder, { 'src/a.ts': 'a\n' })
    const git = join(folder, '.git')
    expect(await treeEntries(git, head)).toEqual([
      { path: 'bin', kind: 'file', sizeBytes: 3 },
      { path: 'keep.txt', kind: 'file', sizeBytes: 5 },
      { path: 'link', kind: 'symlink', sizeBytes: 11 },
      { path: 'src', kind: 'directory', sizeBytes: null },
      { path: 'src/a.ts', kind: 'file', sizeBytes: 2 },
    ])
    expect(await fileAt(git, head, 'link')).toMatchObject({ content: '/etc/passwd' })
    expect(await fileAt(git, head, 'bin')).toEqual({ path: 'bin', sizeBytes: 3, binary: true, content: null })
    await expect(fileAt(git, head, 'src')).rejects.toMatchObject({ code: 'not_found' })
    for (const path of ['../keep.txt', '/etc/passwd', 'src/../keep.txt', '.git/config', ':(top)keep.txt', 'a\0b', '']) {
      await expect(fileAt(git, head, path)).rejects.toMatchObject({ code: /invalid|not_found/ })
    }
  })
})
