import type { Actor } from '@guildhall/protocol/actor.ts'
import type { PlanId } from '@guildhall/protocol/ids.ts'
import { PlanInput } from '@guildhall/protocol/tasks.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type TaskProject, type TaskWorld, taskWorld } from '../../testing/tasks.ts'
import { freshUser, join } from '../../testing/world.ts'

type Person = Actor & { kind: 'user' }
let world: TaskWorld
let project: TaskProject
beforeAll(async () => {
  world = await taskWorld()
})
afterAll(() => world?.close())
beforeEach(async () => {
  world.state.autonomy = 'review_plan'
  project = await world.project()
})

const planEvents = async () =>
  (await project.events()).map(({ type }) => type).filter((type) => type.startsWith('plan.'))

test('a plan with complaints is not stored, and each complaint comes back', async () => {
  const { tasks, agent, owner } = world
  const task = {
    ...{ key: 'a', title: 'A task', goal: 'Somebody sees something.', role: 'engineer', boxes: [{ text: 'write it' }] },
    ...{ dependsOn: ['b'] },
    criteria: [{ text: 'passes', check: { kind: 'command', argv: ['/bin/true'] } }],
  }
  const input = PlanInput.parse({ summary: 'A plan', tasks: [task] })
  const answer = await tasks.submitPlan(agent('dev_manager'), project.run(), input)
  expect(answer).toEqual({
    ok: false,
    complaints: [expect.stringContaining('"b", which is not in the plan'), expect.stringContaining('/bin/true')],
  })
  expect([await tasks.plans(owner, project.projectId), await planEvents()]).toEqual([[], []])
})

test('a run that hands its plan in again, even at the same time, has planned once', async () => {
  const { tasks, agent, owner } = world
  const run = project.run()
  const input = PlanInput.parse({
    summary: 'A plan',
    tasks: [
      {
        ...{ key: 'a', title: 'A task', goal: 'Somebody sees something.', role: 'engineer' },
        ...{ boxes: [{ text: 'write it' }] },
        criteria: [{ text: 'passes', check: { kind: 'command', argv: ['npm', 'test'] } }],
      },
    ],
  })
  const submit = () => tasks.submitPlan(agent('dev_manager', run.id), run, input)
  const answers = [...(await Promise.all([submit(), submit()])), await submit()]
  const plans = await tasks.plans(owner, project.projectId)
  expect(plans.length).toBe(1)
  expect(answers).toEqual(answers.map(() => ({ ok: true, plan: plans[0] })))
  expect(await planEvents()).toEqual(['plan.submitted'])
})

test('a person approves the version they read: another is stale, and a second yes conflicts', async () => {
  const { tasks, owner } = world
  const { id, version } = await project.plan({})
  await expect(tasks.approvePlan(owner, id, version + 1)).rejects.toMatchObject({ code: 'stale' })
  const approved = await tasks.approvePlan(owner, id, version)
  expect(approved).toMatchObject({ state: 'approved', approvedBy: owner.userId, approvedAt: expect.any(String) })
  await expect(tasks.approvePlan(owner, id, version)).rejects.toMatchObject({
    code: 'conflict',
    message: 'This plan is approved already.',
  })
  await tasks.settled()
  expect(await planEvents()).toEqual(['plan.submitted', 'plan.approved'])
})

test('two people who say yes at once: one has said it', async () => {
  const { tasks, owner } = world
  const { id, version } = await project.plan({})
  const answers = await Promise.allSettled([1, 2, 3].map(() => tasks.approvePlan(owner, id, version)))
  expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
  await tasks.settled()
  expect(await planEvents()).toEqual(['plan.submitted', 'plan.approved'])
})

test('to a stranger the plan does not exist; a viewer and an agent may not decide', async () => {
  const { tasks, db, agent } = world
  const { id, version, tasks: planned } = await project.plan({})
  const stranger = await freshUser(db)
  const viewer = await freshUser(db)
  await join(db, project.projectId, viewer, 'viewer')
  const taskId = planned[0]!.id
  const decisions: ((actor: Person) => Promise<unknown>)[] = [
    (actor) => tasks.approvePlan(actor, id, version),
    (actor) => tasks.requestChanges(actor, id, version, 'Please no', 'Ada'),
    (actor) => tasks.approve(actor, taskId),
    (actor) => tasks.cancel(actor, taskId, ''),
    (actor) => tasks.retry(actor, taskId),
  ]
  for (const decide of decisions) {
    await expect(decide(stranger)).rejects.toMatchObject({ code: 'not_found' })
    await expect(decide(viewer)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(decide(agent('dev_manager') as never)).rejects.toMatchObject({ code: 'forbidden' })
  }
  for (const look of [() => tasks.plans(stranger, project.projectId), () => tasks.get(stranger, taskId)])
    await expect(look()).rejects.toMatchObject({ code: 'not_found' })
  expect((await tasks.plans(viewer, project.projectId))[0]).toMatchObject({ id, state: 'in_review' })
  await expect(tasks.approvePlan(stranger, stranger.userId as string as PlanId, 1)).rejects.toMatchObject({
    code: 'not_found',
  })
})

test('request-changes keeps the comment in the conversation and has the manager plan anew', async () => {
  const { tasks, owner, conversations } = world
  const { id, version } = await project.plan({})
  const returned = await tasks.requestChanges(owner, id, version, 'Use fewer tasks', 'Ada')
  expect(returned).toMatchObject({ state: 'changes_requested', version: version + 1 })
  expect(project.orders()).toMatchObject([{ role: 'dev_manager', purpose: 'plan', taskId: null, userId: owner.userId }])
  const { items } = await conversations.messages(owner, project.conversation.id)
  expect(items.map(({ sender, kind, content }) => [sender.kind, kind, content])).toEqual([
    ['user', 'chat', 'Use fewer tasks'],
  ])
  expect((await project.events()).find(({ type }) => type === 'plan.returned')).toMatchObject({
    data: { comment: 'Use fewer tasks', plan: { state: 'changes_requested' } },
  })
  await expect(tasks.approvePlan(owner, id, version)).rejects.toMatchObject({ code: 'stale' })
  await expect(tasks.approvePlan(owner, id, version + 1)).rejects.toMatchObject({ code: 'conflict' })
  expect((await project.plan({})).number).toBe(2)
})

test('autonomy auto approves in the owner’s stead, and the document is written all the same', async () => {
  world.state.autonomy = 'auto'
  const plan = await project.plan({})
  expect(plan).toMatchObject({ state: 'approved', approvedBy: null })
  await world.tasks.settled()
  const task = await project.read(plan.tasks[0]!.id)
  expect(task.state).toBe('working')
  const log = await world.repository.log(world.owner, project.projectId, { ref: task.branch!, limit: 10 })
  expect(log.items[0]!.subject).toBe('docs(tasks): banner as approved')
  expect(await planEvents()).toEqual(['plan.submitted', 'plan.approved'])
})
