import type { Actor } from '@guildhall/protocol/actor.ts'
import type { AgentId, ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '../../platform/ids.ts'
import { type CrewWorld, crewWorld } from '../../testing/crew.ts'
import { createBook } from './book.ts'
import { claimNext, hold, leaseMs, LeaseLost, listClaimable, release } from './lease.ts'
import { findRun, insertRun, insertSeat } from './store.ts'
import { runTable } from './table.ts'

let world: CrewWorld
beforeAll(async () => {
  world = await crewWorld({ name: 'silent', answer: () => null })
}, 60_000)
afterAll(() => world?.close())
beforeEach(() => world.db.system((tx) => tx.delete(runTable)))

/** A queued run, as rows: what is tested here is who gets it. */
async function queued(projectId: ProjectId = world.projectId): Promise<RunId> {
  const id = newId<RunId>()
  const agentId = newId<AgentId>()
  const conversation = await world.conversations.main(projectId)
  await world.db.system(async (tx) => {
    await insertSeat(tx, { id: agentId, projectId, role: 'engineer', name: `Engineer ${id}` })
    const about = { taskId: null, userId: world.owner.userId, role: 'engineer' as const, purpose: 'work' as const }
    await insertRun(tx, { id, projectId, conversationId: conversation.id, agentId, ...about })
  })
  return id
}
const claim = (perProject = 2, worker = 'w') => world.db.system((tx) => claimNext(tx, { worker, perProject }))
const expire = (id: RunId) =>
  world.db.system((tx) => tx.execute(sql`update runs set lease_until = now() - interval '1 s' where id = ${id}`))

test('a run is claimed once, however many workers ask at the same moment', async () => {
  const ids = [await queued(), await queued()]
  const claimed = (await Promise.all(Array.from({ length: 10 }, () => claim()))).filter((held) => held !== null)
  expect(claimed.map(({ id }) => id).sort()).toEqual(ids.sort())
})

test('a project has two runs at work at most, and an expired lease frees its place', async () => {
  const [first] = [await queued(), await queued(), await queued()]
  const held = (await Promise.all([claim(), claim(), claim()])).filter((one) => one !== null)
  expect(held.length).toBe(2)
  expect(await world.db.system((tx) => listClaimable(tx, 2))).toEqual([])
  await expire(first!)
  // What was begun goes before what was not.
  expect(await claim()).toEqual({ id: first, epoch: 2 })
})

test('projects take turns: 40 queued runs of one do not keep another waiting', async () => {
  const other = await world.project()
  for (let count = 0; count < 40; count += 1) await queued()
  const late = await queued(other)
  const order = [await claim(4), await claim(4)]
  expect(order[1]!.id).toBe(late)
})

test('the sweep lists what can be claimed, and a released run at once', async () => {
  const id = await queued()
  expect(await world.db.system((tx) => listClaimable(tx, 2))).toEqual([{ id, epoch: 0 }])
  const held = (await claim())!
  expect(await world.db.system((tx) => listClaimable(tx, 2))).toEqual([])
  await world.db.system((tx) => release(tx, held))
  expect(await claim()).toEqual({ id, epoch: 2 })
})

test('a beat keeps the lease and tells of a wish to stop; after a take-over it says that the run is lost', async () => {
  const id = await queued()
  const held = (await claim())!
  expect(await world.db.system((tx) => hold(tx, held))).toEqual({ isCancelled: false })
  const { leaseUntil } = (await world.db.system((tx) => findRun(tx, id)))!
  expect(leaseUntil!.getTime() - Date.now()).toBeGreaterThan(leaseMs - 1_000)
  await world.db.system((tx) => tx.execute(sql`update runs set cancel_requested_at = now() where id = ${id}`))
  expect(await world.db.system((tx) => hold(tx, held))).toEqual({ isCancelled: true })
  await expire(id)
  await claim()
  await expect(world.db.system((tx) => hold(tx, held))).rejects.toThrow(LeaseLost)
})

test('every write of an old epoch writes nothing: no step, no event, no message, no money', async () => {
  const id = await queued()
  const run = (await world.db.system((tx) => findRun(tx, id)))!
  await claim()
  const agent: Actor & { kind: 'agent' } = {
    kind: 'agent',
    agentId: run.agentId,
    runId: id,
    role: 'engineer',
    onBehalfOf: world.owner.userId,
  }
  const bookAt = (epoch: number) => createBook({ ...world, db: world.db }, { ...run, epoch }, agent, 'Engineer', [])
  const model = 'rehearsal'
  const modelCall = {
    hear: async () => ({ notes: [], heardSeq: 0 }),
    model,
    provider: 'rehearsal',
    prices: world.llm.prices(model),
    worst: { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0 },
  }
  const use = { type: 'tool_use' as const, id: 't1', name: 'read', input: {} }

  const zombie = bookAt(1)
  const begun = await zombie.beginModel(modelCall)
  await expire(id)
  await claim()
  const answer = {
    ...{ text: 'hello', toolUses: [], parts: [], stop: 'end' as const, model, provider: 'rehearsal', attempts: 1 },
    usage: { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0 },
  }
  const snapshot = async () => {
    const tables = ['runs', 'run_steps', 'events', 'agent_messages', 'cost_tracking', 'agents']
    return Promise.all(
      tables.map((table) =>
        world.db.system(async (tx) => (await tx.execute(sql.raw(`select * from ${table} order by 1, 2`))).rows),
      ),
    )
  }
  const before = await snapshot()
  const step = {
    seq: 2,
    kind: 'tool' as const,
    name: 'read',
    state: 'begun' as const,
    input: { use, title: 'read', intent: null },
    output: null,
    startedAt: new Date(),
  }
  const tries = [
    () => zombie.endModel(begun, answer, begun.step.input.messageId),
    () => zombie.failModel(begun),
    () => zombie.beginModel(modelCall),
    () => zombie.beginTool(use, 'read', 'read', null),
    () => zombie.endTool(step, { state: 'done', text: 'x' }),
    () => zombie.refuseTool(use, 'read', 'read', { state: 'failed', text: 'x' }),
    () => zombie.keep(async () => undefined),
  ]
  for (const attempt of tries) await expect(attempt()).rejects.toThrow(LeaseLost)
  expect(await snapshot()).toEqual(before)

  // Inside the sandbox the same holds, once the new epoch was announced.
  await world.session.claim(id, 2)
  const old = { runId: id, epoch: 1, stepId: '9' }
  await expect(world.session.exec({ argv: ['true'], step: old })).rejects.toMatchObject({ code: 'stale' })
  await expect(world.session.writeFile('/workspace/zombie', Buffer.from('x'), { step: old })).rejects.toMatchObject({
    code: 'stale',
  })
})
