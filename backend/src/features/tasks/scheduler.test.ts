import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { notFound } from '../../platform/errors.ts'
import { holds, type TaskProject, type TaskWorld, taskWorld } from '../../testing/tasks.ts'

let world: TaskWorld
let project: TaskProject
beforeAll(async () => {
  world = await taskWorld()
})
afterAll(() => world?.close())
beforeEach(async () => {
  world.state.beforeRun = () => undefined
  project = await world.project()
})

const ofType = async (type: string) => (await project.events()).filter((event) => event.type === type)

test('a started task has a branch by rule, its document as first commit, and one run for the person', async () => {
  const [task] = await project.started({ key: 'cart-total', title: 'Sum up the Cart!' })
  expect(task).toMatchObject({ state: 'working', branch: 'agent/engineer/cart-total-sum-up-the-cart', reason: null })
  const { items } = await world.repository.log(world.owner, project.projectId, { ref: task!.branch!, limit: 10 })
  expect(items.map(({ subject, sha }) => [subject, sha]).slice(0, 1)).toEqual([
    ['docs(tasks): cart-total as approved', task!.head],
  ])
  expect(items[1]!.sha).toBe(task!.base)
  expect(task!.base).toBe(await project.main())
  const document = await project.file('ai_docs/tasks/001-cart-total.md', task!.branch!)
  expect(document.content).toBe((await world.tasks.get(world.owner, task!.id)).documentMarkdown)
  expect(document.content).toContain('- [ ] 1. write it')
  expect(project.orders()).toMatchObject([
    { taskId: task!.id, role: 'engineer', purpose: 'work', userId: world.owner.userId },
  ])
  expect(await project.facts(task!.id)).toEqual(['task.started'])
})

test('a second plan with the same words gets a branch and a document of its own', async () => {
  const [first] = await project.started({ key: 'same' })
  const [second] = await project.started({ key: 'same' })
  expect([first!.branch, second!.branch]).toEqual(['agent/engineer/same-make-same', 'agent/engineer/same-make-same-2'])
  expect((await project.file('ai_docs/tasks/002-same.md', second!.branch!)).content).toContain('# Make same')
})

test('a diamond starts from its top, its sides together, and its bottom when both are merged', async () => {
  const file = (name: string) => ({ key: name, criteria: [holds(`src/${name}.ts`, 'good')] })
  const [top, left, right, bottom] = await project.started(
    file('top'),
    { ...file('left'), dependsOn: ['top'] },
    { ...file('right'), dependsOn: ['top'] },
    { ...file('bottom'), dependsOn: ['left', 'right'] },
  )
  const states = () => Promise.all([top, left, right, bottom].map(async (task) => (await project.read(task!.id)).state))
  const mergeOne = async (id: typeof top) => {
    const task = await project.read(id!.id)
    await project.queued(task, { [`src/${task.key}.ts`]: 'good' })
    await world.tasks.mergeNext(project.projectId)
    await world.tasks.settled()
  }
  expect(await states()).toEqual(['working', 'waiting', 'waiting', 'waiting'])
  await mergeOne(top)
  expect(await states()).toEqual(['merged', 'working', 'working', 'waiting'])
  await mergeOne(left)
  expect(await states()).toEqual(['merged', 'merged', 'working', 'waiting'])
  await mergeOne(right)
  expect(await states()).toEqual(['merged', 'merged', 'merged', 'working'])
  // What starts later starts from a main that has what it depends on.
  expect((await project.read(bottom!.id)).base).toBe(await project.main())
  expect((await project.file('src/left.ts', (await project.read(bottom!.id)).branch!)).content).toBe('good')
}, 60_000)

test('a crash between branch and document, and one between document and run, repeat nothing', async () => {
  const { tasks, owner, repository, state, expireLease, service } = world
  const dies = service({
    repository: { ...repository, writeCommit: () => Promise.reject(new Error('the process is gone')) },
  })
  const plan = await project.plan({})
  const taskId = plan.tasks[0]!.id
  await dies.approvePlan(owner, plan.id, plan.version)
  await dies.settled()
  const branched = await project.read(taskId)
  expect(branched).toMatchObject({ state: 'waiting', branch: 'agent/engineer/banner-make-banner' })

  state.beforeRun = () => {
    throw new Error('the process is gone')
  }
  await expireLease(taskId)
  await tasks.schedule()
  expect(await project.read(taskId)).toMatchObject({ state: 'waiting', branch: branched.branch })
  expect(project.orders()).toEqual([])

  state.beforeRun = () => undefined
  await expireLease(taskId)
  await tasks.schedule()
  await expireLease(taskId)
  await tasks.schedule()
  const started = await project.read(taskId)
  expect(started).toMatchObject({ state: 'working', branch: branched.branch, base: branched.base, reason: null })
  expect(project.orders().length).toBe(1)
  const { items } = await repository.log(owner, project.projectId, { ref: started.branch!, limit: 10 })
  expect(items.map(({ sha }) => sha).indexOf(branched.base!)).toBe(1)
  expect((await ofType('branch.created')).filter((event) => JSON.stringify(event.data).includes(taskId)).length).toBe(1)
  expect((await ofType('task.started')).length).toBe(1)
})

test('two processes that schedule at once start a task once', async () => {
  const plan = await project.plan({})
  const other = world.service()
  await world.tasks.approvePlan(world.owner, plan.id, plan.version)
  await Promise.all([other.schedule(project.projectId), other.schedule(), world.tasks.schedule()])
  await world.tasks.settled()
  const task = await project.read(plan.tasks[0]!.id)
  expect([task.state, project.orders().length]).toEqual(['working', 1])
  const { items } = await world.repository.log(world.owner, project.projectId, { ref: task.branch!, limit: 10 })
  expect(items.findIndex(({ sha }) => sha === task.base)).toBe(1)
})

test('a task that cannot start says why once, is tried again, and forgets it when it starts', async () => {
  const { state, tasks, expireLease } = world
  state.beforeRun = () => {
    throw notFound('The engineer')
  }
  const [waiting] = await project.started({})
  const reason = 'It could not start yet: The engineer does not exist. Guildhall tries again.'
  expect(waiting).toMatchObject({ state: 'waiting', reason })
  await expireLease(waiting!.id)
  await tasks.schedule()
  expect(await project.facts(waiting!.id)).toEqual(['task.held'])
  state.beforeRun = () => undefined
  await expireLease(waiting!.id)
  await tasks.schedule()
  expect(await project.read(waiting!.id)).toMatchObject({ state: 'working', reason: null })
})

test('a task that is cancelled while it starts gets no run', async () => {
  const { owner, repository, service } = world
  const plan = await project.plan({})
  const taskId = plan.tasks[0]!.id
  const slow = service({
    repository: {
      ...repository,
      async writeCommit(...words) {
        await world.tasks.cancel(owner, taskId, 'Never mind')
        return repository.writeCommit(...words)
      },
    },
  })
  await slow.approvePlan(owner, plan.id, plan.version)
  await slow.settled()
  expect(await project.read(taskId)).toMatchObject({ state: 'cancelled', reason: 'Never mind' })
  expect([project.orders(), await project.facts(taskId)]).toEqual([[], ['task.cancelled']])
})

test('tasks that wait for a cancelled one say so, down the line, and their neighbours go on', async () => {
  const [top, middle, last, free] = await project.started(
    { key: 'top' },
    { key: 'middle', dependsOn: ['top'] },
    { key: 'last', dependsOn: ['middle'] },
    { key: 'free' },
  )
  await world.tasks.cancel(world.owner, top!.id, '')
  const reason = 'It waits for "Make top", which was cancelled. Cancel this one too, or ask for a new plan.'
  for (const task of [middle, last]) {
    expect(await project.read(task!.id)).toMatchObject({ state: 'waiting', reason })
    expect(await project.facts(task!.id)).toEqual(['task.held'])
  }
  expect(await project.read(free!.id)).toMatchObject({ state: 'working', reason: null })
  expect(world.state.stopped).toContain(top!.id)
})
