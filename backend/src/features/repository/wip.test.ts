import { chmod, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gitIn, writeFiles } from '../../testing/git.ts'
import { type RepositoryWorld, repositoryWorld } from '../../testing/repository.ts'

let world: RepositoryWorld
beforeAll(async () => {
  world = await repositoryWorld({ files: { 'src/old.ts': 'export const old = 1\n' } })
})
afterAll(() => world?.close())

let count = 0
/** A branch of its own with its work tree. */
async function workTree(): Promise<{ branch: string; tree: string; head: string }> {
  const branch = `agent/engineer/w${++count}`
  const { base } = await world.branch(branch)
  await world.repository.ensureWorkTree(world.projectId, branch)
  return { branch, tree: world.tree(branch), head: base }
}
const save = (branch: string) => world.repository.saveWip(world.projectId, branch)
const kept = (branch: string) =>
  gitIn(world.bare, ['for-each-ref', '--format=%(objectname) %(subject)', `refs/wip/${branch}`])
/** Everything inside is gone, as when a volume was removed; the clone and the work tree are made anew. */
async function loseVolume(branch: string): Promise<void> {
  await rm(join(world.root, 'main'), { recursive: true, force: true })
  await rm(join(world.root, 'agent'), { recursive: true, force: true })
  await world.repository.ensureWorkTree(world.projectId, branch)
}
const read = (tree: string, path: string) => readFile(join(tree, path), 'utf8')

test('what was changed, made and removed but never committed comes back after the volume was lost', async () => {
  const { branch, tree, head } = await workTree()
  await writeFiles(tree, { 'src/app.ts': 'half done\n', 'notes/idea 1.md': 'an idea\n', 'node_modules/x/y.js': 'no' })
  await writeFile(join(tree, 'run.sh'), '#!/bin/sh\n')
  await chmod(join(tree, 'run.sh'), 0o755)
  await symlink('src/app.ts', join(tree, 'link'))
  await rm(join(tree, 'src/old.ts'))
  await gitIn(tree, ['add', 'src/app.ts'])
  const before = await gitIn(tree, ['status', '--porcelain', '-uall'])
  await save(branch)
  // Whoever works there notices nothing, not even what was staged.
  expect(await gitIn(tree, ['status', '--porcelain', '-uall'])).toBe(before)
  expect(await gitIn(world.bare, ['rev-parse', branch])).toBe(head)
  await loseVolume(branch)
  expect(await read(tree, 'src/app.ts')).toBe('half done\n')
  expect(await read(tree, 'notes/idea 1.md')).toBe('an idea\n')
  expect((await stat(join(tree, 'run.sh'))).mode & 0o111).not.toBe(0)
  await expect(read(tree, 'src/old.ts')).rejects.toThrow('ENOENT')
  await expect(read(tree, 'node_modules/x/y.js')).rejects.toThrow('ENOENT')
  expect(await gitIn(tree, ['rev-parse', 'HEAD'])).toBe(head)
  expect(await gitIn(tree, ['diff', '--cached', '--name-only'])).toBe('')
  expect((await gitIn(tree, ['status', '--porcelain', '-uall'])).split('\n').map((line) => line.trim())).toEqual([
    'M src/app.ts',
    'D src/old.ts',
    '?? link',
    '?? "notes/idea 1.md"',
    '?? run.sh',
  ])
}, 60_000)

test('commits that were not published come back as commits, and can be published', async () => {
  const { branch, tree } = await workTree()
  await writeFiles(tree, { 'a.txt': 'one\n' })
  await gitIn(tree, ['add', '-A'])
  await gitIn(tree, ['commit', '-qm', 'feat: one'])
  await writeFiles(tree, { 'a.txt': 'one and a half\n' })
  await save(branch)
  await loseVolume(branch)
  expect(await gitIn(tree, ['log', '-1', '--format=%s'])).toBe('feat: one')
  expect(await read(tree, 'a.txt')).toBe('one and a half\n')
  const { commits } = await world.repository.publish(world.owner, world.projectId, branch)
  expect(commits.map(({ subject }) => subject)).toEqual(['feat: one'])
}, 60_000)

test('a clean tree with an unpublished commit is kept too; once published there is nothing to keep', async () => {
  const { branch, tree } = await workTree()
  await writeFiles(tree, { 'a.txt': 'one\n' })
  await gitIn(tree, ['add', '-A'])
  await gitIn(tree, ['commit', '-qm', 'feat: one'])
  await save(branch)
  expect(await kept(branch)).toMatch(/feat: one$/)
  await loseVolume(branch)
  expect(await gitIn(tree, ['log', '-1', '--format=%s'])).toBe('feat: one')
  await world.repository.publish(world.owner, world.projectId, branch)
  await save(branch)
  expect(await kept(branch)).toBe('')
}, 60_000)

test('nothing changed is nothing kept, the same work is one commit, and many savers at once make one', async () => {
  const { branch, tree } = await workTree()
  await save(branch)
  expect(await kept(branch)).toBe('')
  await writeFiles(tree, { 'a.txt': 'one\n' })
  await save(branch)
  const first = await kept(branch)
  expect(first).toMatch(/guildhall: work in progress$/)
  await Promise.all([save(branch), save(branch), save(branch)])
  expect(await kept(branch)).toBe(first)
  await writeFiles(tree, { 'a.txt': 'two\n' })
  await save(branch)
  expect(await kept(branch)).not.toBe(first)
}, 60_000)

test('work goes on top of what the platform added meanwhile; a conflict leaves the branch as it is and loses nothing', async () => {
  const { branch, tree } = await workTree()
  await writeFiles(tree, { 'src/app.ts': 'mine\n', 'other.txt': 'mine too\n' })
  await save(branch)
  world.sandbox.state = 'sleeping'
  const author = { name: 'Guildhall', email: 'guildhall@crew.guildhall' }
  const write = (path: string) =>
    world.repository.writeCommit(world.projectId, branch, {
      ...{ files: [{ path, content: 'theirs\n' }], message: 'docs: theirs', author },
    })
  await write('ai_docs/plan.md')
  world.sandbox.state = 'running'
  await loseVolume(branch)
  expect([await read(tree, 'src/app.ts'), await read(tree, 'ai_docs/plan.md')]).toEqual(['mine\n', 'theirs\n'])
  expect(await gitIn(tree, ['diff', '--cached', '--name-only'])).toBe('')

  await save(branch)
  const [saved] = (await kept(branch)).split(' ')
  world.sandbox.state = 'sleeping'
  await write('src/app.ts')
  world.sandbox.state = 'running'
  await loseVolume(branch)
  expect(await read(tree, 'src/app.ts')).toBe('theirs\n')
  expect(await gitIn(tree, ['status', '--porcelain'])).toBe('')
  await save(branch)
  expect(await gitIn(world.bare, ['for-each-ref', '--format=%(objectname)', `refs/aside/`])).toBe(saved)
}, 60_000)

test('a sleeping sandbox is not woken, and what a hostile clone says is refused without harm', async () => {
  const { branch, tree, head } = await workTree()
  await writeFiles(tree, { 'a.txt': 'one\n' })
  world.sandbox.state = 'sleeping'
  const calls = world.sandbox.calls
  await save(branch)
  expect([world.sandbox.calls, await kept(branch)]).toEqual([calls, ''])
  world.sandbox.state = 'running'
  // A history of its own: nothing of it builds on the branch.
  await gitIn(tree, ['checkout', '-q', '--orphan', 'elsewhere'])
  await gitIn(tree, ['commit', '-qm', 'not yours'])
  await save(branch)
  expect([await kept(branch), await gitIn(world.bare, ['rev-parse', branch])]).toEqual(['', head])
}, 60_000)

test('many saves do not leave many packs, and all that was kept is there', async () => {
  const { branch, tree } = await workTree()
  const packs = async () => (await readdir(join(world.bare, 'objects/pack'))).filter((name) => name.endsWith('.pack'))
  for (let number = (await packs()).length; number < 30; number++) {
    await writeFiles(tree, { 'n.txt': `${number}\n` })
    await save(branch)
  }
  const [wip] = (await kept(branch)).split(' ')
  expect((await packs()).length).toBeLessThan(20)
  expect(await gitIn(world.bare, ['show', `${wip}:n.txt`])).toBe('29')
  await gitIn(world.bare, ['fsck', '--connectivity-only'])
}, 60_000)
