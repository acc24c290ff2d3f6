import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commitIn, gitIn, writeFiles } from '../../testing/git.ts'
import { type RepositoryWorld, repositoryWorld } from '../../testing/repository.ts'
import { parseBundle, takeBundle } from './bundle.ts'

let world: RepositoryWorld
let clone: string
let base: string
const branch = 'agent/engineer/in'

beforeAll(async () => {
  world = await repositoryWorld()
  base = (await world.branch(branch)).base
  await world.repository.ensureWorkTree(world.projectId, branch)
  clone = world.tree(branch)
})
afterAll(() => world.close())

const bundle = (args: string[], folder = clone): Buffer =>
  execFileSync('git', ['bundle', 'create', '-q', '--version=2', '-', ...args], {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
const take = (bytes: Buffer) => takeBundle(world.bare, { bundle: bytes, ref: `refs/heads/${branch}`, from: base })
const packs = async () => (await readdir(join(world.bare, 'objects/pack'))).length
const leftovers = async () => (await readdir(world.bare)).filter((name) => name.startsWith('quarantine-'))

/** A commit on the branch whose tree is written by hand, as no git command would. */
async function commitOfTree(entries: { mode: string; name: string; content: string }[]): Promise<string> {
  let tree = Buffer.alloc(0)
  for (const { mode, name, content } of entries) {
    await writeFile(join(clone, '..', 'blob'), content)
    const blob = await gitIn(clone, ['hash-object', '-w', join(clone, '..', 'blob')])
    tree = Buffer.concat([tree, Buffer.from(`${mode} ${name}\0`), Buffer.from(blob, 'hex')])
  }
  await writeFile(join(clone, '..', 'tree'), tree)
  const args = ['hash-object', '-w', '--literally', '-t', 'tree', join(clone, '..', 'tree')]
  return gitIn(clone, ['commit-tree', await gitIn(clone, args), '-p', base, '-m', 'feat: odd tree'])
}

async function bundleOfCommit(sha: string): Promise<Buffer> {
  await gitIn(clone, ['update-ref', `refs/heads/${branch}`, sha])
  return bundle([`${base}..refs/heads/${branch}`])
}

describe('a bundle from the sandbox', () => {
  test('that is honest comes in whole', async () => {
    const sha = await commitIn(clone, { 'fine.txt': 'fine' })
    expect(await take(bundle([`${base}..refs/heads/${branch}`]))).toBe(sha)
    expect(await gitIn(world.bare, ['cat-file', '-t', sha])).toBe('commit')
    expect(await leftovers()).toEqual([])
  })

  test('with another ref, two refs, or a tag beside its branch is refused by its header', async () => {
    await gitIn(clone, ['branch', '-f', 'elsewhere', 'HEAD'])
    await gitIn(clone, ['tag', '-f', 'v1', 'HEAD'])
    for (const args of [
      [`${base}..refs/heads/elsewhere`],
      [`${base}..refs/heads/${branch}`, 'refs/heads/elsewhere'],
      [`${base}..refs/heads/${branch}`, 'refs/tags/v1'],
    ]) {
      await expect(take(bundle(args))).rejects.toMatchObject({ code: 'invalid' })
    }
  })

  test('that names its ref main, or hides a second line, is refused by its header', () => {
    const honest = bundle([`${base}..refs/heads/${branch}`]).toString('latin1')
    const ref = `refs/heads/${branch}`
    for (const lie of [
      honest.replace(ref, 'refs/heads/main'),
      honest.replace(ref, `${ref}\nrefs/heads/main`),
      honest.replace(ref, `${ref} refs/heads/main`),
      honest.replace(ref, `${ref}\0`),
      honest.replace('# v2', '# v3'),
      honest.replace('# v2 git bundle\n', '# v2 git bundle\n@filter=blob:none\n'),
      honest.replace('PACK', 'KCAP'),
      '# v2 git bundle\n\n',
      'a'.repeat(100_000),
      '',
    ]) {
      expect(() => parseBundle(Buffer.from(lie, 'latin1'), ref)).toThrow('refused')
    }
  })

  test('that builds on a commit nobody has is refused', async () => {
    const other = join(world.root, 'other')
    await mkdir(other)
    await gitIn(other, ['init', '-q', '-b', branch])
    const first = await commitIn(other, { 'a.txt': 'a' })
    await commitIn(other, { 'b.txt': 'b' })
    await expect(take(bundle([`${first}..refs/heads/${branch}`], other))).rejects.toThrow('does not have')
  })

  test('that does not descend from the branch is refused, and its objects stay out', async () => {
    const before = await packs()
    const other = join(world.root, 'other')
    const head = await gitIn(other, ['rev-parse', 'HEAD'])
    await expect(take(bundle([`refs/heads/${branch}`], other))).rejects.toThrow('would lose commits')
    await expect(gitIn(world.bare, ['cat-file', '-e', head])).rejects.toThrow()
    expect(await packs()).toBe(before)
    expect(await leftovers()).toEqual([])
  })

  test('whose trees hold .git, .., an empty name or a .gitmodules that is a link is refused by fsck, with the reason', async () => {
    const trees = [
      [{ mode: '100644', name: '.git', content: 'gitdir: /tmp' }],
      [{ mode: '100644', name: '.GIT', content: 'gitdir: /tmp' }],
      [{ mode: '100644', name: 'git~1', content: 'gitdir: /tmp' }],
      [{ mode: '100644', name: '..', content: 'x' }],
      [{ mode: '100644', name: 'a/b', content: 'x' }],
      [{ mode: '120000', name: '.gitmodules', content: '/etc/passwd' }],
      [{ mode: '100644', name: '.gitmodules', content: '[submodule "a"]\n\tpath = a\n\turl = --upload-pack=touch\n' }],
    ]
    for (const entries of trees) {
      const bytes = await bundleOfCommit(await commitOfTree(entries))
      // It says which object and what is wrong with it, for whoever has to take it out again.
      await expect(take(bytes), entries[0]!.name).rejects.toThrow(
        /broken or forbidden \(error: object [0-9a-f]{40}: \w+: /,
      )
    }
  })

  test('with a broken pack, a cut one, or one that lacks objects is refused', async () => {
    await gitIn(clone, ['reset', '-q', '--hard', base])
    await commitIn(clone, { 'more.txt': 'more'.repeat(1_000) })
    const honest = bundle([`${base}..refs/heads/${branch}`])
    const flipped = Buffer.from(honest)
    flipped[flipped.length - 40]! ^= 0xff
    await expect(take(flipped)).rejects.toMatchObject({ code: 'invalid' })
    await expect(take(honest.subarray(0, honest.length - 30))).rejects.toMatchObject({ code: 'invalid' })
    // The header names a commit that its pack does not bring.
    const head = await gitIn(clone, ['rev-parse', 'HEAD'])
    const ghost = Buffer.from(honest.toString('latin1').replace(`\n${head} `, `\n${'1'.repeat(40)} `), 'latin1')
    await expect(take(ghost)).rejects.toMatchObject({ code: 'invalid' })
    expect(await leftovers()).toEqual([])
  })
})

test('twelve ways to make git run something, planted in the sandbox, run nothing on the platform’s side', async () => {
  const { repository, projectId, owner } = world
  await gitIn(clone, ['reset', '-q', '--hard', base])
  const marker = join(world.bare, '..', 'ran-on-host')
  const trap = join(world.root, 'trap.sh')
  // The trap tells the two sides apart: only the platform's git has the bare repository as GIT_DIR.
  await writeFile(
    trap,
    `#!/bin/sh\ncase "$GIT_DIR" in ${world.bare}*) touch ${marker};; esac\ncat 2>/dev/null\nexit 0\n`,
  )
  await chmod(trap, 0o755)
  const common = join(world.tree('main'), '.git')
  await writeFiles(common, {
    'hooks/post-merge': `#!/bin/sh\n${trap}\n`,
    'hooks/pre-commit': `#!/bin/sh\n${trap}\n`,
    'hooks/reference-transaction': `#!/bin/sh\n${trap}\n`,
    'info/attributes': '* filter=evil diff=evil merge=evil\n',
    'evil.config': `[alias]\n\tlog = !${trap}\n`,
  })
  for (const hook of ['post-merge', 'pre-commit', 'reference-transaction']) {
    await chmod(join(common, 'hooks', hook), 0o755)
  }
  for (const [key, value] of [
    ['core.fsmonitor', trap],
    ['core.hooksPath', join(common, 'hooks')],
    ['filter.evil.clean', trap],
    ['filter.evil.smudge', trap],
    ['diff.evil.textconv', trap],
    ['diff.external', trap],
    ['merge.evil.driver', trap],
    ['core.sshCommand', trap],
    ['core.pager', trap],
    ['gpg.program', trap],
    ['credential.helper', `!${trap}`],
    ['include.path', 'evil.config'],
  ] as const) {
    await gitIn(clone, ['config', key, value])
  }
  await commitIn(clone, { '.gitattributes': '* filter=evil diff=evil merge=evil\n', 'src/app.ts': 'export {}\n' })
  const { head } = await repository.publish(owner, projectId, branch)
  const main = await repository.head(projectId, 'main')
  await repository.diff(owner, projectId, { from: 'main', to: branch })
  await repository.diffText(projectId, main, head, 100_000)
  await repository.log(owner, projectId, { ref: branch, limit: 10 })
  await repository.branches(owner, projectId)
  await repository.tree(owner, projectId, branch)
  await repository.file(owner, projectId, { ref: branch, path: '.gitattributes' })
  const answer = await repository.mergeTree(projectId, main, head)
  if (answer.kind !== 'clean') throw new Error('not clean')
  const author = { name: 'Guildhall', email: 'guildhall@crew.guildhall' }
  const to = await repository.commitMerge(projectId, { tree: answer.tree, parents: [main, head], message: 'm', author })
  expect(await repository.casMain(owner, projectId, { from: main, to, branch, taskId: null })).toBe('moved')
  await expect(stat(marker)).rejects.toThrow('ENOENT')
  // The trap itself works: planted in the bare repository, where nothing from a sandbox can put it, it would run.
  await gitIn(world.bare, ['config', 'core.hooksPath', join(common, 'hooks')])
  await gitIn(world.bare, ['update-ref', 'refs/heads/probe', main], { GIT_DIR: world.bare })
  await stat(marker)
})
