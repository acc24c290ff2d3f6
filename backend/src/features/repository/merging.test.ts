import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha } from '@guildhall/protocol/ids.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commitIn, gitIn } from '../../testing/git.ts'
import { createRepositoryService } from './service.ts'
import { type RepositoryWorld, repositoryWorld } from '../../testing/repository.ts'

const house = { name: 'Guildhall', email: 'guildhall@crew.guildhall' }

let world: RepositoryWorld
beforeEach(async () => {
  world = await repositoryWorld()
})
afterEach(() => world.close())

/** A published branch with these files, from today's main. */
async function branchWith(wanted: string, files: Record<string, string>) {
  const { repository, projectId, owner } = world
  const { name, base } = await world.branch(wanted)
  await repository.ensureWorkTree(projectId, name)
  await commitIn(world.tree(name), files, { message: `feat: ${wanted.split('/').at(-1)}`, role: 'engineer' })
  const { head } = await repository.publish(owner, projectId, name)
  return { name, base, head }
}

async function mergeOf(branch: { head: Sha }, main: Sha): Promise<Sha> {
  const { repository, projectId } = world
  const answer = await repository.mergeTree(projectId, main, branch.head)
  if (answer.kind !== 'clean') throw new Error('not clean')
  const merge = { tree: answer.tree, parents: [main, branch.head], message: 'merge: it', author: house }
  return repository.commitMerge(projectId, merge)
}

const moves = async () => (await world.events()).filter(({ type }) => type === 'main.moved').map(({ data }) => data)

test('a merge moves main once, is told once, and the sandbox follows with its dependencies', async () => {
  const { repository, projectId, owner, tree } = world
  await repository.ensureWorkTree(projectId, 'main')
  const branch = await branchWith('agent/engineer/one', { 'one.txt': '1', 'package-lock.json': '{"n":2}\n' })
  const to = await mergeOf(branch, branch.base)
  const move = { from: branch.base, to, branch: branch.name, taskId: null }
  expect(await repository.casMain(owner, projectId, move)).toBe('moved')
  expect(await repository.casMain(owner, projectId, move)).toBe('moved')
  expect(await moves()).toEqual([move])
  expect(await gitIn(tree('main'), ['rev-parse', 'HEAD'])).toBe(to)
  expect(await readFile(join(tree('main'), 'node_modules/left/index.js'), 'utf8')).toContain('"n":2')
  const found = (await repository.branches(owner, projectId)).map(({ name, status, ahead, behind }) => ({
    name,
    status,
    ahead,
    behind,
  }))
  expect(found).toEqual([
    { name: 'main', status: 'active', ahead: 0, behind: 0 },
    { name: branch.name, status: 'merged', ahead: 0, behind: 1 },
  ])
})

test('main that moved meanwhile makes the older merge stale and stays where it is', async () => {
  const { repository, projectId, owner } = world
  const one = await branchWith('agent/engineer/one', { 'one.txt': '1' })
  const two = await branchWith('agent/engineer/two', { 'two.txt': '2' })
  const first = await mergeOf(one, one.base)
  const second = await mergeOf(two, one.base)
  await repository.casMain(owner, projectId, { from: one.base, to: first, branch: one.name, taskId: null })
  const late = { from: one.base, to: second, branch: two.name, taskId: null }
  expect(await repository.casMain(owner, projectId, late)).toBe('stale')
  expect(await repository.head(projectId, 'main')).toBe(first)
})

test('of ten merges at once exactly one wins', async () => {
  const { repository, projectId, owner, options } = world
  // A second service on the same folder and database: another process, as far as the in-process queue knows.
  const other = createRepositoryService(options)
  const branch = await branchWith('agent/engineer/one', { 'one.txt': '1' })
  const tree = await repository.treeOf(projectId, branch.head)
  const candidates = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      repository.commitMerge(projectId, {
        tree,
        parents: [branch.base, branch.head],
        message: `merge: ${n}`,
        author: house,
      }),
    ),
  )
  const outcomes = await Promise.all(
    candidates.map((to, n) =>
      (n % 2 ? other : repository).casMain(owner, projectId, {
        from: branch.base,
        to,
        branch: branch.name,
        taskId: null,
      }),
    ),
  )
  expect(outcomes.filter((outcome) => outcome === 'moved')).toHaveLength(1)
  expect(await repository.head(projectId, 'main')).toBe(candidates[outcomes.indexOf('moved')])
  expect(await moves()).toHaveLength(1)
})

test('a conflict names its paths and moves nothing', async () => {
  const { repository, projectId, owner } = world
  const one = await branchWith('agent/engineer/one', { 'src/app.ts': 'export const app = 2\n', 'same.txt': 's' })
  const two = await branchWith('agent/engineer/two', { 'src/app.ts': 'export const app = 3\n', 'same.txt': 's' })
  const first = await mergeOf(one, one.base)
  await repository.casMain(owner, projectId, { from: one.base, to: first, branch: one.name, taskId: null })
  expect(await repository.mergeTree(projectId, first, two.head)).toEqual({ kind: 'conflict', paths: ['src/app.ts'] })
  expect(await repository.head(projectId, 'main')).toBe(first)
})

test('main only moves forward', async () => {
  const { repository, projectId, owner } = world
  const main = await repository.head(projectId, 'main')
  const unrelated = await repository.commitMerge(projectId, {
    tree: await repository.treeOf(projectId, main),
    parents: [],
    message: 'chore: another beginning',
    author: house,
  })
  const move = { from: main, to: unrelated, branch: null, taskId: null }
  await expect(repository.casMain(owner, projectId, move)).rejects.toMatchObject({ code: 'invalid' })
  expect(await repository.head(projectId, 'main')).toBe(main)
})

test('killed between the ref and the record: the next call tells it once', async () => {
  const { repository, projectId, owner, bare } = world
  const branch = await branchWith('agent/engineer/one', { 'one.txt': '1' })
  const to = await mergeOf(branch, branch.base)
  await gitIn(bare, ['update-ref', 'refs/heads/main', to, branch.base])
  const move = { from: branch.base, to, branch: branch.name, taskId: null }
  expect(await moves()).toEqual([])
  expect(await repository.casMain(owner, projectId, move)).toBe('moved')
  expect(await repository.casMain(owner, projectId, move)).toBe('moved')
  expect(await moves()).toEqual([move])
})

test('killed between the ref and the record: another merge tells the lost one first', async () => {
  const { repository, projectId, owner, bare } = world
  const one = await branchWith('agent/engineer/one', { 'one.txt': '1' })
  const two = await branchWith('agent/engineer/two', { 'two.txt': '2' })
  const first = await mergeOf(one, one.base)
  await gitIn(bare, ['update-ref', 'refs/heads/main', first, one.base])
  const second = await mergeOf(two, first)
  const move = { from: first, to: second, branch: two.name, taskId: null }
  expect(await repository.casMain(owner, projectId, move)).toBe('moved')
  expect(await moves()).toEqual([{ from: one.base, to: first, branch: one.name, taskId: null }, move])
})

test('while the sandbox sleeps main moves all the same, and the work tree catches up at the next use', async () => {
  const { repository, projectId, owner, tree, sandbox } = world
  await repository.ensureWorkTree(projectId, 'main')
  const branch = await branchWith('agent/engineer/one', { 'one.txt': '1' })
  const to = await mergeOf(branch, branch.base)
  sandbox.state = 'sleeping'
  await repository.casMain(owner, projectId, { from: branch.base, to, branch: branch.name, taskId: null })
  expect(await gitIn(tree('main'), ['rev-parse', 'HEAD'])).toBe(branch.base)
  await repository.ensureWorkTree(projectId, 'main')
  expect(await gitIn(tree('main'), ['rev-parse', 'HEAD'])).toBe(to)
})
