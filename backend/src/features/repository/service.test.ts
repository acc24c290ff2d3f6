import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../platform/ids.ts'
import { commitIn, gitIn, writeFiles } from '../../testing/git.ts'
import { type RepositoryWorld, repositoryWorld } from '../../testing/repository.ts'
import { freshUser } from '../../testing/world.ts'

const house = { name: 'Guildhall', email: 'guildhall@crew.guildhall' }
const engineer = { role: 'engineer' }

let world: RepositoryWorld
beforeAll(async () => {
  world = await repositoryWorld()
})
afterAll(() => world.close())

describe('a new project', () => {
  test('has a bare repository whose main is the template, and may be provisioned again', async () => {
    const { repository, projectId, owner, bare } = world
    const head = await repository.head(projectId, 'main')
    await repository.provision(projectId)
    expect(await repository.head(projectId, 'main')).toBe(head)
    expect(await gitIn(bare, ['ls-tree', '-r', '--name-only', 'main'])).toBe(
      '.gitignore\npackage-lock.json\npackage.json\nsrc/app.ts',
    )
    const { items } = await repository.log(owner, projectId, { ref: 'main', limit: 10 })
    expect(items.map(({ subject, author, role }) => ({ subject, author, role }))).toEqual([
      { subject: 'chore: start from the test template', author: house, role: null },
    ])
    const created = (await world.events()).filter(({ type }) => type === 'branch.created')
    expect(created).toHaveLength(1)
    expect(await gitIn(bare, ['fsck', '--strict'])).toBe('')
  })

  test('that a crash left half made is begun anew, and nothing of it stays; another one’s is not touched', async () => {
    const { repository, projectId, bare } = world
    const folder = dirname(bare)
    const mine = `${bare}.0123456789ab.making`
    const other = join(folder, `${newId()}.git.0123456789ab.making`)
    for (const left of [mine, other]) await mkdir(join(left, 'objects'), { recursive: true })
    await repository.provision(projectId)
    expect((await readdir(folder)).filter((name) => name.endsWith('.making'))).toEqual([basename(other)])
    await rm(other, { recursive: true })
  })
})

describe('a work tree', () => {
  test('stands in the sandbox at the branch, with main’s dependencies as hard links and a port of its own', async () => {
    const { repository, projectId, tree } = world
    const main = await repository.ensureWorkTree(projectId, 'main')
    expect(main).toEqual({ path: '/workspace/main', port: 3000 })
    const { name, base } = await world.branch('agent/engineer/look')
    const progress: string[] = []
    const place = await repository.ensureWorkTree(projectId, name, (text) => progress.push(text))
    expect(place).toEqual({ path: '/workspace/agent/engineer/look', port: 3001 })
    expect(await gitIn(tree(name), ['rev-parse', 'HEAD'])).toBe(base)
    expect(await gitIn(tree(name), ['status', '--porcelain'])).toBe('')
    expect(await readFile(join(tree(name), 'node_modules/left/index.js'), 'utf8')).toContain('lockfileVersion')
    // Linked, so no command ran.
    expect(progress).toEqual([])
    const before = world.sandbox.calls
    await repository.ensureWorkTree(projectId, name)
    expect(world.sandbox.calls - before).toBe(1)
  })

  test('is made again when its folder is gone, and an own folder in its place is set aside, not deleted', async () => {
    const { repository, projectId, tree } = world
    const { name } = await world.branch('agent/engineer/gone')
    await repository.ensureWorkTree(projectId, name)
    await rm(tree(name), { recursive: true })
    await repository.ensureWorkTree(projectId, name)
    expect(await gitIn(tree(name), ['status', '--porcelain'])).toBe('')
    await rm(join(tree(name), '.git'))
    await writeFiles(tree(name), { 'mine.txt': 'mine' })
    await repository.ensureWorkTree(projectId, name)
    expect(await gitIn(tree(name), ['status', '--porcelain'])).toBe('')
    const aside = await gitIn(world.root, ['-c', 'alias.find=!ls agent/engineer', 'find'])
    expect(aside).toContain('gone.set-aside.')
  })

  test('another lockfile on a branch runs the set-up command there, and says what it does', async () => {
    const { repository, projectId, tree } = world
    const { name } = await world.branch('agent/engineer/lock')
    await repository.ensureWorkTree(projectId, name)
    await writeFile(join(tree(name), 'package-lock.json'), '{"lockfileVersion":9}\n')
    const progress: string[] = []
    await repository.setUp(projectId, name, (text) => progress.push(text))
    expect(progress.join('')).toContain('cp package-lock.json')
    expect(await readFile(join(tree(name), 'node_modules/left/index.js'), 'utf8')).toContain('9')
  })

  test('of a branch that does not exist is not_found, and a name that is none is invalid', async () => {
    const { repository, projectId } = world
    await expect(repository.ensureWorkTree(projectId, 'nowhere')).rejects.toMatchObject({ code: 'not_found' })
    for (const name of [
      'a;touch x',
      '$(touch x)',
      '-f',
      '--upload-pack=x',
      '../up',
      'a..b',
      '.git/x',
      'x.lock',
      'a b',
    ]) {
      await expect(repository.ensureWorkTree(projectId, name)).rejects.toMatchObject({ code: 'invalid' })
      await expect(repository.head(projectId, name)).rejects.toMatchObject({ code: 'invalid' })
      await expect(world.branch(name)).rejects.toMatchObject({ code: 'invalid' })
    }
  })
})

describe('a branch', () => {
  test('gets a suffix when its name is taken, and its ref and its row come together', async () => {
    const { repository, projectId, owner } = world
    const first = await world.branch('agent/engineer/twice')
    const second = await world.branch('agent/engineer/twice')
    expect([first.name, second.name]).toEqual(['agent/engineer/twice', 'agent/engineer/twice-2'])
    const undone = world.db.as(owner, async (tx) => {
      const how = { wanted: 'agent/engineer/undone', role: null, taskId: null }
      await repository.createBranch(tx, owner, projectId, how)
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect((await world.branch('agent/engineer/undone')).name).toBe('agent/engineer/undone')
  })

  test('is published: commits come out, are told once, and carry their role', async () => {
    const { repository, projectId, owner, tree } = world
    const { name, base } = await world.branch('agent/engineer/publish')
    await repository.ensureWorkTree(projectId, name)
    const odd = 'a;$(touch pwned) -rf "q".txt'
    const sha = await commitIn(
      tree(name),
      { [odd]: 'x\n', '--help': 'y\n' },
      { message: 'feat: odd names', ...engineer },
    )
    const published = await repository.publish(owner, projectId, name)
    expect(published.head).toBe(sha)
    expect(published.commits.map(({ subject, role }) => [subject, role])).toEqual([['feat: odd names', 'engineer']])
    expect(await repository.publish(owner, projectId, name)).toEqual({ head: sha, commits: [] })
    const told = (await world.events()).filter(({ type }) => type === 'branch.pushed')
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ data: { name, head: sha, role: 'engineer' } })
    expect((await repository.changedPaths(projectId, base, sha)).sort()).toEqual(['--help', odd].sort())
    expect(await repository.file(owner, projectId, { ref: name, path: odd })).toMatchObject({ content: 'x\n' })
    const [found] = (await repository.branches(owner, projectId)).filter((branch) => branch.name === name)
    expect(found).toMatchObject({ ahead: 1, behind: 0, head: sha, base, role: 'engineer', status: 'active' })
  })

  test('that was rewritten inside is refused, and main is never published', async () => {
    const { repository, projectId, owner, tree } = world
    const { name } = await world.branch('agent/engineer/force')
    await repository.ensureWorkTree(projectId, name)
    const sha = await commitIn(tree(name), { 'a.txt': '1' })
    await repository.publish(owner, projectId, name)
    await gitIn(tree(name), ['commit', '-q', '--amend', '-m', 'feat: other'])
    await expect(repository.publish(owner, projectId, name)).rejects.toMatchObject({ code: 'invalid' })
    expect(await repository.head(projectId, name)).toBe(sha)
    await expect(repository.publish(owner, projectId, 'main')).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('takes the platform’s own commit, also into its work tree, after what was still inside', async () => {
    const { repository, projectId, owner, tree } = world
    const { name } = await world.branch('agent/engineer/document')
    const document = { files: [{ path: 'ai_docs/tasks/x.md', content: '# X\n' }], message: 'docs: x', author: house }
    await repository.writeCommit(projectId, name, document)
    await repository.ensureWorkTree(projectId, name)
    expect(await readFile(join(tree(name), 'ai_docs/tasks/x.md'), 'utf8')).toBe('# X\n')
    await commitIn(tree(name), { 'b.txt': 'b' }, { message: 'feat: b', ...engineer })
    const ticked = { ...document, files: [{ path: 'ai_docs/tasks/x.md', content: '# X done\n' }] }
    const head = await repository.writeCommit(projectId, name, ticked)
    expect(await gitIn(tree(name), ['rev-parse', 'HEAD'])).toBe(head)
    expect(await gitIn(tree(name), ['status', '--porcelain'])).toBe('')
    const { items } = await repository.log(owner, projectId, { ref: name, limit: 3 })
    expect(items.map(({ subject }) => subject)).toEqual(['docs: x', 'feat: b', 'docs: x'])
  })

  test('that got a commit of the platform while its own were still inside says how to go on', async () => {
    const { repository, projectId, owner, tree, sandbox } = world
    const { name } = await world.branch('agent/engineer/parted')
    await repository.ensureWorkTree(projectId, name)
    await commitIn(tree(name), { 'own.txt': 'own' }, engineer)
    sandbox.state = 'sleeping'
    const files = [{ path: 'ai_docs/x.md', content: '# X\n' }]
    await repository.writeCommit(projectId, name, { files, message: 'docs: x', author: house })
    sandbox.state = 'running'
    await repository.ensureWorkTree(projectId, name)
    const refused = repository.publish(owner, projectId, name)
    await expect(refused).rejects.toMatchObject({
      code: 'stale',
      message: expect.stringContaining('git merge refs/platform/'),
    })
    await gitIn(tree(name), ['merge', '-q', '--no-edit', `refs/platform/${name}`])
    expect((await repository.publish(owner, projectId, name)).commits).toHaveLength(2)
  })

  test('is published by whoever may work, told after a crash between ref and record, and hidden from strangers', async () => {
    const { repository, projectId, owner, tree, bare } = world
    const { name } = await world.branch('agent/engineer/crash')
    await repository.ensureWorkTree(projectId, name)
    const sha = await commitIn(tree(name), { 'c.txt': 'c' }, engineer)
    // What a killed process leaves: the objects and the ref, no row and no event.
    await gitIn(bare, ['fetch', '-q', tree(name), `${name}:refs/heads/${name}`])
    const { commits } = await repository.publish(owner, projectId, name)
    expect(commits.map((commit) => commit.sha)).toEqual([sha])
    expect((await repository.publish(owner, projectId, name)).commits).toEqual([])
    const stranger = await freshUser(world.db)
    await expect(repository.publish(stranger, projectId, name)).rejects.toMatchObject({ code: 'not_found' })
    await expect(repository.branches(stranger, projectId)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('a fresh sandbox', () => {
  test('gets exactly the tree of a commit that no branch holds', async () => {
    const { repository, projectId, session, tree } = world
    const main = await repository.head(projectId, 'main')
    const sha = await repository.commitMerge(projectId, {
      tree: await repository.treeOf(projectId, main),
      parents: [main],
      message: 'chore: loose',
      author: house,
    })
    await repository.checkOut(projectId, session, sha, '/workspace/fresh/checkout')
    expect(await gitIn(tree('fresh/checkout'), ['rev-parse', 'HEAD'])).toBe(sha)
    expect(await gitIn(tree('fresh/checkout'), ['status', '--porcelain', '--ignored'])).toBe('')
  })
})
