import type { Task, TaskState } from '@guildhall/protocol/tasks.ts'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type TaskProject, type TaskWorld, taskWorld } from '../../testing/tasks.ts'
import { freshUser, join } from '../../testing/world.ts'
import { projectTable } from '../projects/table.ts'
import { startTaskJobs } from './jobs.ts'
import { planTable, taskTable } from './table.ts'

let world: TaskWorld
let project: TaskProject
beforeAll(async () => {
  world = await taskWorld()
})
afterAll(() => world?.close())
beforeEach(async () => {
  world.state.beforeSandbox = async () => undefined
  project = await world.project()
})

const good = { 'src/app.ts': 'export const app = "good"\n' }
const states: TaskState[] = [
  ...(['waiting', 'working', 'checking', 'reviewing', 'merging'] as const),
  ...(['merged', 'failed', 'needs_you', 'cancelled'] as const),
]
const put = (task: Task, change: Partial<typeof taskTable.$inferInsert>) =>
  world.db.system((tx) => tx.update(taskTable).set(change).where(eq(taskTable.id, task.id)))

test('a task can be cancelled from every state that has no end, and only then', async () => {
  const { tasks, owner } = world
  const [task] = await project.started({})
  const outcomes: Record<string, string> = {}
  for (const state of states) {
    await put(task!, { state })
    outcomes[state] = await tasks.cancel(owner, task!.id, 'Never mind').then(
      (after) => after.state,
      (error: { code: string }) => error.code,
    )
  }
  const stopped = 'cancelled'
  expect(outcomes).toEqual({
    ...{ waiting: stopped, working: stopped, checking: stopped, reviewing: stopped, merging: stopped },
    ...{ failed: stopped, needs_you: stopped, merged: 'conflict', cancelled: 'conflict' },
  })
  expect(world.state.stopped.filter((id) => id === task!.id).length).toBe(7)
})

test('a task that a worker is merging cannot be cancelled', async () => {
  const [task] = await project.started({})
  await put(task!, { state: 'merging', leaseUntil: new Date(Date.now() + 60_000) })
  await expect(world.tasks.cancel(world.owner, task!.id, '')).rejects.toMatchObject({
    ...{ code: 'conflict', message: 'The task is merging and cannot be cancelled.' },
  })
})

test('retry goes on only from where a task stopped, and conflicts elsewhere', async () => {
  const { tasks, owner } = world
  const [task] = await project.started({})
  const outcomes: Record<string, string> = {}
  for (const state of states) {
    await put(task!, { state })
    outcomes[state] = await tasks.retry(owner, task!.id).then(
      (after) => after.state,
      (error: { code: string }) => error.code,
    )
  }
  const no = 'conflict'
  expect(outcomes).toEqual({
    ...{ waiting: no, working: no, checking: no, reviewing: no, merging: no, merged: no, cancelled: no },
    ...{ failed: 'working', needs_you: 'working' },
  })
})

test('retry after a broken review calls a reviewer again, not the author', async () => {
  const [task] = await project.started({})
  const { tree } = await project.checked(task!, good)
  await put(task!, { state: 'needs_you', reason: 'The model is away.' })
  expect(await world.tasks.retry(world.owner, task!.id)).toMatchObject({ state: 'reviewing', tree, reason: null })
  expect(project.orders().map(({ purpose }) => purpose)).toEqual(['work', 'review', 'review'])
})

test('the sweep rings for what nobody attends to, again while it is so, and not for what is held', async () => {
  const { tasks, state } = world
  const [checking, merging, held, working] = await project.started(
    { key: 'checking' },
    { key: 'merging' },
    { key: 'held' },
    { key: 'working' },
  )
  await put(checking!, { state: 'checking', epoch: 3 })
  await put(merging!, { state: 'merging', epoch: 4, queuedAt: new Date() })
  await put(held!, { state: 'checking', leaseUntil: new Date(Date.now() + 60_000) })
  state.rings = []
  await tasks.sweep()
  await tasks.sweep()
  const mine = new Set([checking!.id, merging!.id, held!.id, working!.id])
  const rings = state.rings.filter(([, id]) => id.split('.').some((part) => mine.has(part as Task['id'])))
  const once = [
    ['task.check', `${checking!.id}.3`],
    ['task.merge', `${project.projectId}.${merging!.id}.4`],
  ]
  expect(rings.sort()).toEqual([...once, ...once].sort())
  for (const task of [checking, merging, held]) await put(task!, { state: 'cancelled' })
})

test('with its doors open a task goes from finish to main by itself, lost rings and all', async () => {
  const { tasks, queue, log } = world
  // Rings of a process that died are lost: the sweep must find everything.
  const deaf = world.service({ queue: { ...queue, ring: async () => undefined } })
  const [task, after] = await project.started({}, { key: 'after', dependsOn: ['banner'] })
  const jobs = startTaskJobs({ queue, tasks, log })
  try {
    await project.work(task!, good)
    const claims = [{ text: 'It works', evidence: [await project.evidence(task!)] }]
    await deaf.finish(world.agent('engineer'), task!.id, project.run().id, { summary: 'It is done', claims })
    const reaches = (wanted: Task, state: TaskState) =>
      expect.poll(async () => (await project.read(wanted.id)).state, { timeout: 20_000, interval: 50 }).toBe(state)
    await reaches(task!, 'reviewing')
    const runId = project.run().id
    const verdict = { verdict: 'approve' as const, summary: 'It is right', comments: [] }
    await deaf.verdict(world.agent('architect', runId), task!.id, runId, verdict)
    await reaches(task!, 'merged')
    await reaches(after!, 'working')
  } finally {
    await jobs.close()
  }
  const facts = ['started', 'ticked', 'finished', 'checked', 'reviewed', 'queued', 'merged']
  expect(await project.facts(task!.id)).toEqual(facts.map((fact) => `task.${fact}`))
}, 60_000)

test('who approves or retries is whom the work is for from then on: an author who left the project is not needed', async () => {
  const { tasks, db, owner } = world
  const friend = await freshUser(db)
  await join(db, project.projectId, friend, 'editor')
  const plan = await project.plan({ key: 'first' })
  await tasks.approvePlan(friend, plan.id, plan.version)
  await tasks.settled()
  expect(project.orders().at(-1)).toMatchObject({ purpose: 'work', userId: friend.userId })
  await tasks.runEnded(
    { id: project.orders().at(-1)!.runId, taskId: plan.tasks[0]!.id, purpose: 'work' },
    'failed',
    'no',
  )
  await tasks.retry(owner, plan.tasks[0]!.id)
  expect(project.orders().at(-1)).toMatchObject({ purpose: 'work', userId: owner.userId })
})

test('an archived project rests: nothing starts, is checked or merged until it is back', async () => {
  const { tasks, db } = world
  const status = (to: 'archived' | 'active') =>
    db.system((tx) => tx.update(projectTable).set({ status: to }).where(eq(projectTable.id, project.projectId)))
  const [working] = await project.started({ key: 'begun' })
  const later = await project.plan({ key: 'later' })
  await db.system((tx) => tx.update(planTable).set({ state: 'approved' }).where(eq(planTable.id, later.id)))
  await status('archived')
  const sandboxes = world.state.sandboxes
  const orders = project.orders().length
  for (const state of ['checking', 'merging'] as const) {
    await put(working!, { state, leaseUntil: null })
    world.state.rings.length = 0
    await tasks.sweep()
    await tasks.settled()
    expect(world.state.rings.filter(([, id]) => id.includes(working!.id))).toEqual([])
    await tasks.check(working!.id)
    await tasks.mergeNext(project.projectId)
    expect((await project.read(working!.id)).state).toBe(state)
  }
  expect((await project.read(later.tasks[0]!.id)).state).toBe('waiting')
  expect([world.state.sandboxes, project.orders().length]).toEqual([sandboxes, orders])
  await status('active')
  await tasks.sweep()
  await tasks.settled()
  expect((await project.read(later.tasks[0]!.id)).state).toBe('working')
  expect(world.state.rings.map(([name]) => name)).toContain('task.merge')
})
