import type { ConversationId, ProjectId } from '@guildhall/protocol/ids.ts'
import type { Actor } from '@guildhall/protocol/actor.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshApp, type TestApp } from '../../testing/app.ts'
import { freshProject, join } from '../../testing/world.ts'

let app: TestApp
beforeAll(async () => {
  app = await freshApp()
}, 60_000)
afterAll(() => app?.close())

const password = 'correct horse battery'
let count = 0
/** A person as the API knows them, and as an actor. */
async function signUp() {
  const username = `ada-${++count}`
  await app.call('/api/auth/register', {
    method: 'POST',
    body: { email: `${username}@example.com`, username, password },
  })
  const { body } = await app.call('/api/auth/login', { method: 'POST', body: { login: username, password } })
  const actor = { kind: 'user', userId: body.user.id, sessionId: body.user.id, role: 'user' } as Actor & {
    kind: 'user'
  }
  return { token: body.accessToken as string, actor }
}

/** A manager's run that waits: no worker is at work here. */
async function queuedRun(projectId: ProjectId, { actor }: Awaited<ReturnType<typeof signUp>>) {
  const { id } = await app.services.conversations.main(projectId)
  const order = { projectId, conversationId: id as ConversationId, taskId: null, userId: actor.userId }
  return app.db.as(actor, (tx) => app.services.agents.startRun(tx, { ...order, role: 'dev_manager', purpose: 'plan' }))
}

test('seats, runs and one run with its steps, for members alone; editors stop it', async () => {
  const [owner, viewer, stranger] = [await signUp(), await signUp(), await signUp()]
  const projectId = await freshProject(app.db, owner.actor)
  await join(app.db, projectId, viewer.actor, 'viewer')
  const runId = await queuedRun(projectId, owner)
  const get = (path: string, { token }: { token: string }) => app.call(path, { token })
  const cancel = ({ token }: { token: string }) => app.call(`/api/runs/${runId}/cancel`, { method: 'POST', token })

  const seats = await get(`/api/projects/${projectId}/agents`, viewer)
  expect(seats.body).toMatchObject({
    items: [{ name: 'Manager 1', role: 'dev_manager', state: 'waiting', runId, costUsd: '0.000000' }],
    nextCursor: null,
  })
  const runs = await get(`/api/projects/${projectId}/runs`, viewer)
  expect(runs.body.items).toMatchObject([{ id: runId, state: 'queued', purpose: 'plan', epoch: 0, steps: 0 }])
  const none = await get(`/api/projects/${projectId}/runs?taskId=${crypto.randomUUID()}`, viewer)
  expect(none.body.items).toEqual([])
  expect((await get(`/api/runs/${runId}`, viewer)).body).toMatchObject({ run: { id: runId }, steps: [] })

  const statuses = [`projects/${projectId}/agents`, `projects/${projectId}/runs`, `runs/${runId}`].map(async (path) => [
    (await get(`/api/${path}`, stranger)).status,
    (await app.call(`/api/${path}`)).status,
  ])
  expect(await Promise.all(statuses)).toEqual([
    [404, 401],
    [404, 401],
    [404, 401],
  ])
  expect([(await cancel(stranger)).status, (await cancel(viewer)).status]).toEqual([404, 403])

  const stopped = await cancel(owner)
  expect([stopped.status, stopped.body]).toMatchObject([200, { id: runId, state: 'cancelled' }])
  expect((await cancel(owner)).body.state).toBe('cancelled')
  expect((await get(`/api/projects/${projectId}/agents`, owner)).body.items).toMatchObject([
    { state: 'idle', runId: null },
  ])
})

test('a free seat is taken again, a busy one brings another; both are announced', async () => {
  const owner = await signUp()
  const projectId = await freshProject(app.db, owner.actor)
  const first = await queuedRun(projectId, owner)
  expect(await queuedRun(projectId, owner)).toBe(first)
  await app.services.agents.cancel(owner.actor, first)
  const second = await queuedRun(projectId, owner)
  expect(second).not.toBe(first)
  const { body } = await app.call(`/api/projects/${projectId}/events`, { token: owner.token })
  expect(body.items.map(({ type }: { type: string }) => type)).toEqual([
    'agent.seated',
    'agent.run.queued',
    'agent.changed',
    'agent.run.finished',
    'agent.changed',
    'agent.run.queued',
  ])
  expect(await app.services.agents.atWork([projectId])).toEqual(new Map([[projectId, 1]]))
})

test('many starts at once take different seats', async () => {
  const owner = await signUp()
  const projectId = await freshProject(app.db, owner.actor)
  const { id } = await app.services.conversations.main(projectId)
  const order = {
    projectId,
    conversationId: id,
    userId: owner.actor.userId,
    role: 'engineer' as const,
    purpose: 'work' as const,
  }
  await Promise.all(
    Array.from({ length: 6 }, () =>
      app.db.as(owner.actor, (tx) =>
        app.services.agents.startRun(tx, { ...order, taskId: crypto.randomUUID() as never }),
      ),
    ),
  )
  const seats = await app.services.agents.seats(owner.actor, projectId)
  expect(seats.map(({ name }) => name)).toEqual([1, 2, 3, 4, 5, 6].map((number) => `Engineer ${number}`))
})
