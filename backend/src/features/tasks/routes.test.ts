import type { AgentId, ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { type Plan, PlanInput } from '@guildhall/protocol/tasks.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '../../platform/ids.ts'
import { freshApp, type TestApp } from '../../testing/app.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { signAccessToken } from '../identity/tokens.ts'

let app: TestApp
let token: string
let projectId: ProjectId
let plan: Plan
beforeAll(async () => {
  app = await freshApp()
})
afterAll(async () => {
  await app?.services.tasks.settled()
  await app?.close()
})

const wish = PlanInput.parse({
  summary: 'A banner',
  tasks: [
    {
      ...{ key: 'banner', title: 'Show a banner', goal: 'A visitor reads the words first.', role: 'engineer' },
      criteria: [{ text: 'tests pass', check: { kind: 'command', argv: ['npm', 'test'] } }],
      boxes: [{ text: 'write the words' }],
    },
  ],
})

beforeEach(async () => {
  const owner = await freshUser(app.db)
  token = signAccessToken(app.config.jwtSecret, owner)
  projectId = await freshProject(app.db, owner)
  const conversation = await app.services.conversations.main(projectId)
  const run = { id: newId<RunId>(), projectId, conversationId: conversation.id, userId: owner.userId }
  const agent = { kind: 'agent', agentId: newId<AgentId>(), runId: run.id, role: 'dev_manager' } as const
  const answer = await app.services.tasks.submitPlan({ ...agent, onBehalfOf: owner.userId }, run, wish)
  if (!answer.ok) throw new Error(answer.complaints.join('\n'))
  plan = answer.plan
})

const post = (path: string, body?: unknown) =>
  app.call(path, { method: 'POST', token, ...(body !== undefined && { body }) })
const task = () => plan.tasks[0]!

test('plans, tasks and the document are read as they are stored', async () => {
  const plans = await app.call(`/api/projects/${projectId}/plans`, { token })
  expect([plans.status, plans.body]).toEqual([200, { items: [plan], nextCursor: null }])
  const tasks = await app.call(`/api/projects/${projectId}/tasks`, { token })
  expect([tasks.status, tasks.body]).toEqual([200, { items: plan.tasks, nextCursor: null }])
  const detail = await app.call(`/api/tasks/${task().id}`, { token })
  expect([detail.status, detail.body]).toEqual([
    200,
    { task: task(), checkRuns: [], reviews: [], documentMarkdown: expect.stringContaining('# Show a banner') },
  ])
})

test('a plan is approved in the version that was read; stale and second answers are problems with a code', async () => {
  const approve = (version: unknown) => post(`/api/plans/${plan.id}/approve`, { version })
  const stale = await approve(plan.version + 1)
  expect([stale.status, stale.body.code]).toEqual([409, 'stale'])
  const wrong = await approve('newest')
  expect([wrong.status, wrong.body.code]).toEqual([422, 'invalid'])
  const approved = await approve(plan.version)
  expect([approved.status, approved.body.state]).toEqual([200, 'approved'])
  const again = await approve(plan.version)
  expect([again.status, again.body.code]).toEqual([409, 'conflict'])
})

test('a comment goes back under the name of the person who wrote it', async () => {
  const body = { version: plan.version, comment: 'Use fewer words' }
  const returned = await post(`/api/plans/${plan.id}/request-changes`, body)
  expect([returned.status, returned.body.state]).toEqual([200, 'changes_requested'])
  const { items } = await app.services.conversations.messages({ kind: 'system' }, plan.conversationId)
  expect(items).toMatchObject([
    { sender: { kind: 'user', name: expect.stringContaining('user-') }, content: body.comment },
  ])
  const silent = await post(`/api/plans/${plan.id}/request-changes`, { version: plan.version + 1, comment: ' ' })
  expect([silent.status, silent.body.code]).toEqual([422, 'invalid'])
})

test('a task is cancelled with or without a reason; what cannot be done conflicts and says why', async () => {
  for (const door of ['approve', 'retry']) {
    const answer = await post(`/api/tasks/${task().id}/${door}`)
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
  }
  const cancelled = await post(`/api/tasks/${task().id}/cancel`, {})
  expect([cancelled.status, cancelled.body]).toMatchObject([200, { state: 'cancelled', reason: null }])
  const again = await post(`/api/tasks/${task().id}/cancel`, { reason: 'Once more' })
  expect([again.status, again.body.detail]).toEqual([409, 'The task is cancelled and cannot be cancelled.'])
})
