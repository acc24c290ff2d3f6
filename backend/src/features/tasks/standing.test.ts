import type { Task } from '@guildhall/protocol/tasks.ts'
import { PlanInput } from '@guildhall/protocol/tasks.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { holds, type TaskProject, type TaskWorld, taskWorld } from '../../testing/tasks.ts'
import { freshUser } from '../../testing/world.ts'

let world: TaskWorld
let project: TaskProject
beforeAll(async () => {
  world = await taskWorld()
})
afterAll(() => world?.close())
beforeEach(async () => {
  Object.assign(world.state, { autonomy: 'review_plan', setupCommand: null, beforeSandbox: async () => undefined })
  project = await world.project()
})

const page = 'src/page.ts'
const says = (key: string, word: string, more: Record<string, unknown> = {}) => ({
  ...{ key, title: `Say ${word}`, criteria: [holds(page, word)] },
  ...more,
})
/** The whole way of one wish onto main. */
async function merge(wish: Record<string, unknown>, content: string): Promise<Task> {
  const [task] = await project.started(wish)
  await project.queued(task!, { [page]: content })
  await world.tasks.mergeNext(project.projectId)
  return project.read(task!.id)
}
/** Main says hello; a second task of a later plan makes that untrue, twice over, and waits for the person. */
async function contradicted(): Promise<Task> {
  await merge(says('hello', 'hello'), 'hello')
  const [task] = await project.started(says('welcome', 'welcome'))
  await project.checked(task!, { [page]: 'welcome' })
  return project.checked(task!, {})
}
const names = async () => (await world.tasks.standing(project.projectId)).map(({ name }) => name)
const runs = async (task: Task) => (await world.tasks.get(world.owner, task.id)).checkRuns

test('a merged task’s criteria are asked of later work on the same file, though main never moved, and of no other', async () => {
  await merge(says('hello', 'hello'), 'hello')
  const [same, other] = await project.started(says('both', 'welcome'), { key: 'other' })
  expect((await project.checked(same!, { [page]: 'hello welcome' })).state).toBe('reviewing')
  expect((await runs(same!))[0]!.results.map(({ criterion, standing }) => [criterion, standing])).toEqual([
    ['src/page.ts says welcome', null],
    ['Say hello: src/page.ts says hello', '1/hello/1'],
  ])
  await project.checked(other!, { 'src/app.ts': 'good' })
  expect((await runs(other!))[0]!.results.map(({ standing }) => standing)).toEqual([null])
}, 60_000)

test('who breaks one gets the branch back once; broken again the person is asked, and told which', async () => {
  await merge(says('hello', 'hello'), 'hello')
  const [task] = await project.started(says('welcome', 'welcome'))
  const returned = await project.checked(task!, { [page]: 'welcome' })
  expect(returned).toMatchObject({ state: 'working', returns: 1 })
  expect(returned.reason).toContain('Say hello: src/page.ts says hello')
  expect(returned.reason).toContain('Earlier tasks promised this and main keeps it.')
  const asked = await project.checked(task!, {})
  expect(asked).toMatchObject({ state: 'needs_you', returns: 1 })
  expect(asked.reason).toContain('breaks what earlier tasks promised')
  expect((await project.said()).at(-1)).toContain('**Say welcome** needs you.')
  // Asked again without an answer, it stays where it is.
  await world.tasks.retry(world.owner, task!.id)
  await world.tasks.check(task!.id)
  expect((await project.read(task!.id)).state).toBe('needs_you')
}, 60_000)

test('work that fails its own check too just goes back, however often', async () => {
  await merge(says('hello', 'hello'), 'hello')
  const [task] = await project.started(says('welcome', 'welcome'))
  await project.checked(task!, { [page]: 'neither' })
  expect(await project.checked(task!, {})).toMatchObject({ state: 'working', returns: 2 })
}, 60_000)

test('what a person lets go is asked no more of that task, and of nobody once it merged', async () => {
  const { tasks, owner } = world
  const asked = await contradicted()
  const before = await project.main()
  const gone = await tasks.replace(owner, asked.id, ['1/hello/1'])
  expect(gone).toMatchObject({ state: 'checking', replaces: ['1/hello/1'], reason: null })
  expect(await names()).toEqual(['1/hello/1'])
  await tasks.check(asked.id)
  await project.judge(await project.read(asked.id))
  await tasks.mergeNext(project.projectId)
  expect((await project.read(asked.id)).state).toBe('merged')
  expect(await project.main()).not.toBe(before)
  expect(await names()).toEqual(['2/welcome/1'])
  expect(await project.facts(asked.id)).toContain('task.amended')
  const [later] = await project.started(says('later', 'welcome back'))
  expect((await project.checked(later!, { [page]: 'welcome back' })).state).toBe('reviewing')
}, 60_000)

test('a plan names what it replaces: nobody is asked, and only what stands can be named', async () => {
  await merge(says('hello', 'hello'), 'hello')
  const [task] = await project.started(says('welcome', 'welcome', { replaces: ['1/hello/1'] }))
  expect((await project.checked(task!, { [page]: 'welcome' })).state).toBe('reviewing')
  const document = await project.file('ai_docs/tasks/002-welcome.md', task!.branch!)
  expect(document.content).toContain('criterion 1/hello/1')
  const input = PlanInput.parse({
    summary: 'Say more',
    tasks: [
      {
        ...says('more', 'more', { replaces: ['1/hello/1', '1/hello/2'] }),
        goal: 'Everybody can read that it says more.',
        ...{ role: 'engineer', boxes: [{ text: 'write it' }] },
      },
    ],
  })
  const answer = await world.tasks.submitPlan(world.agent('dev_manager'), project.run(), input)
  expect(answer).toEqual({
    ok: false,
    complaints: [expect.stringContaining('replaces 1/hello/2, which main does not keep')],
  })
}, 60_000)

test('a promise broken on the merged tree alone stops main just the same', async () => {
  const lines = (head: string, tail: string) => `${head}\n\n\n\n\n\n${tail}\n`
  const most = (number: string) => ({
    text: `good stands ${number} times at most`,
    check: { kind: 'command', argv: ['bash', '-c', `test $(grep -c good ${page}) -le ${number}`] },
  })
  await merge(says('base', 'plain'), lines('plain', 'plain'))
  const [first, second] = await project.started(
    { key: 'first', criteria: [most('1')] },
    { key: 'second', criteria: [most('9')] },
  )
  await project.queued(first!, { [page]: lines('good', 'plain') })
  await project.queued(second!, { [page]: lines('plain', 'good') })
  await world.tasks.mergeNext(project.projectId)
  const main = await project.main()
  await world.tasks.mergeNext(project.projectId)
  expect(await project.read(second!.id)).toMatchObject({ state: 'working', returns: 1 })
  await project.queued(second!, {})
  await world.tasks.mergeNext(project.projectId)
  expect(await project.read(second!.id)).toMatchObject({ state: 'needs_you' })
  expect(await project.main()).toBe(main)
}, 60_000)

test('a promise is a person’s to let go: not an agent’s, not a stranger’s, not for work that goes on', async () => {
  const { tasks, owner, agent, db } = world
  const asked = await contradicted()
  const one = ['1/hello/1']
  await expect(tasks.replace(agent('engineer'), asked.id, one)).rejects.toMatchObject({ code: 'forbidden' })
  await expect(tasks.replace(await freshUser(db), asked.id, one)).rejects.toMatchObject({ code: 'not_found' })
  await expect(tasks.replace(owner, asked.id, ['1/hello/2'])).rejects.toMatchObject({ code: 'invalid' })
  expect(await project.read(asked.id)).toMatchObject({ state: 'needs_you', replaces: [] })
  await tasks.replace(owner, asked.id, one)
  await expect(tasks.replace(owner, asked.id, one)).rejects.toMatchObject({ code: 'conflict' })
}, 60_000)

test('a person sends stopped work back in their own words, and its author reads them', async () => {
  const { tasks, owner } = world
  const asked = await contradicted()
  const orders = project.orders().length
  const moved = await tasks.requestTaskChanges(owner, asked.id, 'Say both, please', 'Ada')
  expect(moved).toMatchObject({ state: 'working', returns: 0, claims: [], tree: null })
  expect(project.orders().slice(orders)).toMatchObject([{ role: 'engineer', purpose: 'work', taskId: asked.id }])
  expect((await tasks.document(asked.id)).returned).toBe('Ada asks for changes.\n\nSay both, please')
  await expect(tasks.requestTaskChanges(owner, asked.id, 'And again', 'Ada')).rejects.toMatchObject({
    code: 'conflict',
  })
  expect((await project.checked(asked, { [page]: 'hello welcome' })).state).toBe('reviewing')
}, 60_000)

test('a plan whose last open task is cancelled is summed up too', async () => {
  const [a, b] = await project.started(says('a', 'hello'), { key: 'b' })
  await project.queued(a!, { [page]: 'hello' })
  await world.tasks.mergeNext(project.projectId)
  expect(await project.said()).toEqual([])
  await world.tasks.cancel(world.owner, b!.id, '')
  expect(await project.said()).toEqual(['The plan is done. Merged into main:\n- Say hello'])
}, 60_000)
