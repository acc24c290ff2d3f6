import type { Task } from '@guildhall/protocol/tasks.ts'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { AppError } from '../../platform/errors.ts'
import { gitIn } from '../../testing/git.ts'
import { holds, type TaskProject, type TaskWorld, taskWorld } from '../../testing/tasks.ts'
import { taskTable } from './table.ts'

let world: TaskWorld
let project: TaskProject
beforeAll(async () => {
  world = await taskWorld()
})
afterAll(() => world?.close())
beforeEach(async () => {
  Object.assign(world.state, {
    ...{ autonomy: 'review_plan', setupCommand: null, beforeSandbox: async () => undefined },
    beforeRun: () => undefined,
  })
  project = await world.project()
})

const house = { kind: 'system' } as const
const mergeNext = () => world.tasks.mergeNext(project.projectId)
const ofType = async (type: string) => (await project.events()).filter((event) => event.type === type)
const mergeRuns = async (task: Task) =>
  (await world.tasks.get(world.owner, task.id)).checkRuns.filter(({ stage }) => stage === 'merge')
/** A task of its own file, with a check that reads it. */
const about = (key: string, more: Record<string, unknown> = {}) => ({
  ...{ key, criteria: [holds(`src/${key}.ts`, 'good')] },
  ...more,
})
/** Both at work before either merges. */
async function both(one: Record<string, unknown>, other: Record<string, unknown>): Promise<[Task, Task]> {
  const [first, second] = await project.started(one, other)
  return [first!, second!]
}

test('an unmoved main takes a proved tree without a second check run, and the plan is done', async () => {
  const [task] = await project.started(about('a'))
  const { tree, head } = await project.queued(task!, { 'src/a.ts': 'good' })
  world.state.sandboxes = 0
  const from = await project.main()
  await mergeNext()
  const to = await project.main()
  expect(await project.read(task!.id)).toMatchObject({ state: 'merged', mergedAs: to, reason: null })
  expect([world.state.sandboxes, await mergeRuns(task!)]).toEqual([0, []])
  expect(await world.repository.treeOf(project.projectId, to)).toBe(tree)
  const { items } = await world.repository.log(world.owner, project.projectId, { ref: 'main', limit: 1 })
  expect(items[0]).toMatchObject({ sha: to, subject: 'merge(a): Make a', parents: [from, head] })
  expect((await ofType('main.moved')).map(({ data }) => data)).toEqual([
    { from, to, branch: task!.branch, taskId: task!.id },
  ])
  expect((await project.facts(task!.id)).slice(-2)).toEqual(['task.queued', 'task.merged'])
  expect(await project.said()).toEqual(['The plan is done. Merged into main:\n- Make a'])
})

test('a moved main has the checks of this task run again on the merged tree, and of no stranger to its files', async () => {
  const [first, second] = await both(about('a'), about('b'))
  await project.queued(first, { 'src/a.ts': 'good' })
  await project.queued(second, { 'src/b.ts': 'good' })
  await mergeNext()
  await mergeNext()
  expect((await project.read(second.id)).state).toBe('merged')
  const runs = await mergeRuns(second)
  expect(runs).toMatchObject([{ passed: true, results: [{ criterion: 'src/b.ts says good' }] }])
  expect(runs[0]!.tree).toBe(await world.repository.treeOf(project.projectId, await project.main()))
  expect([(await project.file('src/a.ts')).content, (await project.file('src/b.ts')).content]).toEqual(['good', 'good'])
})

test('checks of merged tasks that touch the same files hold too, or the branch goes back and main stays', async () => {
  const lines = (head: string, tail: string) => `${head}\n\n\n\n\n\n${tail}\n`
  const counts = (number: string) => ({
    text: `good stands ${number} times at most`,
    check: { kind: 'command', argv: ['bash', '-c', `test $(grep -c good src/both.ts) -le ${number}`] },
  })
  // There before both, so that each changes an end of it.
  const [base] = await project.started(about('base', { criteria: [holds('src/both.ts', 'plain')] }))
  await project.queued(base!, { 'src/both.ts': lines('plain', 'plain') })
  await mergeNext()
  const [first, second] = await both(
    { key: 'first', criteria: [counts('1')] },
    { key: 'second', criteria: [counts('9')] },
  )
  await project.queued(first, { 'src/both.ts': lines('good', 'plain') })
  await project.queued(second, { 'src/both.ts': lines('plain', 'good') })
  await mergeNext()
  const main = await project.main()
  await mergeNext()
  const returned = await project.read(second.id)
  expect(returned).toMatchObject({ state: 'working', returns: 1, mergedAs: null })
  expect(returned.reason).toContain('on the tree that main would become')
  expect(returned.reason).toContain('Make first: good stands 1 times at most')
  expect(await project.main()).toBe(main)
  // Of base's check the merged tree says nothing new, but it is asked: it is about the same file.
  const asked = (await mergeRuns(second))[0]!.results.map(({ criterion }) => criterion)
  expect(asked).toEqual([
    'good stands 9 times at most',
    'Make first: good stands 1 times at most',
    'Make base: src/both.ts says plain',
  ])
}, 60_000)

test('first in, first out; red on the merged tree bounces one while the next goes in', async () => {
  const clash = {
    text: 'a and b are not both there',
    check: { kind: 'command', argv: ['bash', '-c', '! { test -e src/a.ts && test -e src/b.ts; }'] },
  }
  const [a, b, c] = await project.started(about('a'), about('b', { criteria: [clash] }), about('c'))
  await project.queued(a!, { 'src/a.ts': 'good' })
  await project.queued(b!, { 'src/b.ts': 'good' })
  await project.queued(c!, { 'src/c.ts': 'good' })
  const states = () => Promise.all([a, b, c].map(async (task) => (await project.read(task!.id)).state))
  await mergeNext()
  expect(await states()).toEqual(['merged', 'merging', 'merging'])
  await mergeNext()
  expect(await states()).toEqual(['merged', 'working', 'merging'])
  await mergeNext()
  expect(await states()).toEqual(['merged', 'working', 'merged'])
  await expect(project.file('src/b.ts')).rejects.toMatchObject({ code: 'not_found' })
  expect((await ofType('main.moved')).length).toBe(2)
}, 60_000)

test('a conflict returns with the paths, main is untouched, and after git merge main only the own change counts', async () => {
  const { repository, tasks } = world
  const constraints = [{ text: 'Leave a alone', paths: ['src/a.ts'] }]
  const [first, second] = await both(about('a'), about('b', { constraints }))
  await project.queued(first, { 'src/a.ts': 'good', 'src/app.ts': 'first\n' })
  await project.queued(second, { 'src/b.ts': 'good', 'src/app.ts': 'second\n' })
  await mergeNext()
  const main = await project.main()
  await mergeNext()
  const returned = await project.read(second.id)
  expect(returned).toMatchObject({ state: 'working', returns: 1 })
  expect(returned.reason).toContain('conflicts with it in: src/app.ts. Merge main into your branch')
  expect([await project.main(), await mergeRuns(second)]).toEqual([main, []])

  // What `git merge main` with the conflict settled leaves: a commit with both parents.
  const head = await repository.head(project.projectId, second.branch!)
  const settled = await repository.writeCommit(project.projectId, second.branch!, {
    files: [
      { path: 'src/app.ts', content: 'both\n' },
      { path: 'src/a.ts', content: 'good' },
      { path: 'ai_docs/tasks/001-a.md', content: (await project.file('ai_docs/tasks/001-a.md')).content! },
    ],
    message: 'fix: settle',
    author: { name: 'Engineer 1', email: 'engineer@crew.guildhall' },
  })
  const merge = await repository.commitMerge(project.projectId, {
    tree: await repository.treeOf(project.projectId, settled),
    parents: [head, main],
    message: 'Merge main',
    author: { name: 'Engineer 1', email: 'engineer@crew.guildhall' },
  })
  await moveRef(second.branch!, merge)
  expect(await project.finish(returned)).toEqual({ ok: true })
  await tasks.check(second.id)
  // src/a.ts came with main; it is not this task's change, for the constraint as for the reviewer.
  expect(await project.read(second.id)).toMatchObject({ state: 'reviewing', base: main })
  const { diffText } = await tasks.reviewContext(second.id)
  expect(diffText).toContain('+both')
  expect(diffText).not.toContain('diff --git a/src/a.ts')
  await project.judge(second)
  await mergeNext()
  expect((await project.file('src/app.ts')).content).toBe('both\n')
}, 60_000)

test('two services that race merge one after the other, each task once', async () => {
  const keys = ['a', 'b', 'c']
  const started = await project.started(...keys.map((key) => about(key)))
  for (const task of started) await project.queued(task, { [`src/${task.key}.ts`]: 'good' })
  let atOnce = 0
  let most = 0
  world.state.beforeSandbox = async () => {
    most = Math.max(most, ++atOnce)
    setTimeout(() => atOnce--, 50)
  }
  const other = world.service()
  for (let round = 0; round < 12 && (await ofType('task.merged')).length < 3; round++)
    await Promise.all([mergeNext(), other.mergeNext(project.projectId), other.mergeNext(project.projectId)])
  expect((await ofType('task.merged')).map(({ data }) => (data as { task: Task }).task.key)).toEqual(keys)
  expect([(await ofType('main.moved')).length, most]).toEqual([3, 1])
}, 60_000)

test('a crash after main moved and before the row is recorded exactly once', async () => {
  const { db, repository, owner, expireLease } = world
  const [task] = await project.started(about('a'))
  const { head, branch } = await project.queued(task!, { 'src/a.ts': 'good' })
  const from = await project.main()
  const to = await repository.commitMerge(project.projectId, {
    tree: await repository.treeOf(project.projectId, head!),
    parents: [from, head!],
    message: 'merge(a): Make a',
    author: { name: 'Guildhall', email: 'platform@crew.guildhall' },
  })
  const worker = { mergedAs: to, epoch: 1, leaseUntil: new Date(Date.now() + 60_000) }
  await db.system((tx) => tx.update(taskTable).set(worker).where(eq(taskTable.id, task!.id)))
  const move = { from, to, branch, taskId: task!.id }
  expect(await repository.casMain(house, project.projectId, move)).toBe('moved')
  // The dead worker's lease keeps others away until it runs out, and a person cannot cancel what main has.
  await mergeNext()
  expect((await project.read(task!.id)).state).toBe('merging')
  await expect(world.tasks.cancel(owner, task!.id, '')).rejects.toMatchObject({ code: 'conflict' })
  await expireLease(task!.id)
  await expect(world.tasks.cancel(owner, task!.id, '')).rejects.toMatchObject({ code: 'conflict' })
  await mergeNext()
  await mergeNext()
  expect(await project.read(task!.id)).toMatchObject({ state: 'merged', mergedAs: to })
  expect(await project.main()).toBe(to)
  expect((await ofType('main.moved')).map(({ data }) => data)).toEqual([move])
  expect((await ofType('task.merged')).length).toBe(1)
})

test('a crash between the note and main merges anew, once', async () => {
  const { db, repository } = world
  const [task] = await project.started(about('a'))
  const { head } = await project.queued(task!, { 'src/a.ts': 'good' })
  const noted = await repository.commitMerge(project.projectId, {
    tree: await repository.treeOf(project.projectId, head!),
    parents: [await project.main(), head!],
    message: 'noted, never taken',
    author: { name: 'Guildhall', email: 'platform@crew.guildhall' },
  })
  await db.system((tx) => tx.update(taskTable).set({ mergedAs: noted }).where(eq(taskTable.id, task!.id)))
  await mergeNext()
  expect(await project.read(task!.id)).toMatchObject({ state: 'merged', mergedAs: await project.main() })
  expect((await ofType('main.moved')).length).toBe(1)
})

test('main that moves by another door during the merge is merged with, not over', async () => {
  const { repository, service } = world
  const [first, second] = await both(about('a'), about('b'))
  await project.queued(first, { 'src/a.ts': 'good' })
  await project.checked(second, { 'src/b.ts': 'good' })
  let isFirst = true
  const racing = service({
    repository: {
      ...repository,
      async casMain(actor, projectId, move) {
        if (isFirst) {
          isFirst = false
          const { head } = await project.read(second.id)
          const to = await repository.commitMerge(projectId, {
            tree: await repository.treeOf(projectId, head!),
            parents: [move.from, head!],
            message: 'by another door',
            author: { name: 'Ada', email: 'ada@example.org' },
          })
          await repository.casMain(house, projectId, { from: move.from, to, branch: null, taskId: null })
        }
        return repository.casMain(actor, projectId, move)
      },
    },
  })
  await racing.mergeNext(project.projectId)
  expect((await project.read(first.id)).state).toBe('merged')
  expect((await mergeRuns(first)).map(({ passed }) => passed)).toEqual([true])
  expect([(await project.file('src/a.ts')).content, (await project.file('src/b.ts')).content]).toEqual(['good', 'good'])
})

test('a merge whose checks cannot run asks the person; retry goes on in the queue without another review', async () => {
  const { owner, tasks, state } = world
  const [first, second] = await both(about('a'), about('b'))
  await project.queued(first, { 'src/a.ts': 'good' })
  await project.queued(second, { 'src/b.ts': 'good' })
  await mergeNext()
  state.beforeSandbox = () => Promise.reject(new AppError('no_engine', 'No container engine answers'))
  await mergeNext()
  expect(await project.read(second.id)).toMatchObject({
    ...{ state: 'needs_you', reason: 'It could not be merged: No container engine answers.' },
  })
  state.beforeSandbox = async () => undefined
  const runs = project.orders().length
  expect(await tasks.retry(owner, second.id)).toMatchObject({ state: 'merging', reason: null })
  await mergeNext()
  expect(await project.read(second.id)).toMatchObject({ state: 'merged' })
  expect(project.orders().length).toBe(runs)
})

async function moveRef(branch: string, to: string) {
  await gitIn(world.bare(project.projectId), ['update-ref', `refs/heads/${branch}`, to])
}
