import type { Actor } from '@guildhall/protocol/actor.ts'
import type { AgentId, ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAppError } from '../../platform/errors.ts'
import { listEvents, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { createAuthorize } from '../projects/authorize.ts'
import { createUsageService, type UsageService } from './service.ts'

let database: TestDatabase
let usage: UsageService
let owner: Extract<Actor, { kind: 'user' }>

beforeAll(async () => {
  database = await freshDatabase()
  const { db } = database
  usage = createUsageService({ db, authorize: createAuthorize({ db }) })
  owner = await freshUser(db)
})
afterAll(() => database.close())

const rates = { input: '2', output: '10', cacheRead: '0.10', cacheWrite: '2.50' }
const agentOf = (runId: RunId): Actor => ({
  kind: 'agent',
  agentId: newId<AgentId>(),
  runId,
  role: 'engineer',
  onBehalfOf: owner.userId,
})
const newCall = (projectId: ProjectId, runId: RunId, step = 1) => ({
  userId: owner.userId,
  projectId,
  runId,
  step,
  role: 'engineer' as const,
  provider: 'anthropic',
  model: 'claude-sonnet-5-5',
  prices: rates,
  worst: tokens(1_000, 1_000),
})
const tokens = (inputTokens: number, outputTokens: number) => ({
  inputTokens,
  outputTokens,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
})

test('a call is charged once, by the rates it began with, and told', async () => {
  const { db } = database
  const projectId = await freshProject(db, owner)
  const runId = newId<RunId>()
  const agent = agentOf(runId)
  const first = await db.as(agent, (tx) => usage.begin(tx, newCall(projectId, runId)))
  expect(await usage.summary(owner, projectId)).toMatchObject({ calls: 1, costUsd: '0.000000' })
  const cost = await db.as(agent, (tx) => usage.settle(tx, agent, first, tokens(1_000, 500)))
  const again = await db.as(agent, (tx) => usage.settle(tx, agent, first, tokens(9_000, 9_000)))
  expect([cost, again]).toEqual(['0.00700000', '0.00700000'])

  const second = await db.as(agent, (tx) => usage.begin(tx, newCall(projectId, runId, 2)))
  await db.as(agent, (tx) => usage.fail(tx, agent, second, tokens(10, 0)))
  expect(await usage.summary(owner, projectId)).toEqual({
    costUsd: '0.007020',
    calls: 2,
    inputTokens: 1_010,
    outputTokens: 500,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
  })
  const events = await db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 100))
  const told = events.flatMap((event) => (event.type === 'usage.recorded' ? [event.data] : []))
  expect(told).toEqual([
    { runId, model: 'claude-sonnet-5-5', usage: tokens(1_000, 500), costUsd: '0.007000' },
    { runId, model: 'claude-sonnet-5-5', usage: tokens(10, 0), costUsd: '0.000020' },
  ])
})

test('the tiers of a long prompt are kept with the row', async () => {
  const { db } = database
  const projectId = await freshProject(db, owner)
  const prices = {
    ...rates,
    longPrompt: { overTokens: 100, input: '20', output: '100', cacheRead: '1', cacheWrite: '25' },
  }
  const id = await db.as(owner, (tx) => usage.begin(tx, { ...newCall(projectId, newId<RunId>()), prices }))
  expect(await db.as(owner, (tx) => usage.settle(tx, owner, id, tokens(1_000, 0)))).toBe('0.02000000')
})

test('strangers read no sums', async () => {
  const projectId = await freshProject(database.db, owner)
  const stranger = await freshUser(database.db)
  const refused = await usage.summary(stranger, projectId).catch((error: unknown) => isAppError(error) && error.code)
  expect(refused).toBe('not_found')
})

const setBudget = (projectId: ProjectId, budgetUsd: string | null) =>
  database.db.system((tx) =>
    tx.execute(
      sql`update projects set config = config || ${JSON.stringify({ budgetUsd })}::jsonb where id = ${projectId}`,
    ),
  )

test('fifty calls at once get exactly as many places as the budget has room for', async () => {
  const { db } = database
  const projectId = await freshProject(db, owner)
  // Each call may cost 0.012 dollars: 1,000 tokens in at 2 and 1,000 out at 10 a million.
  await setBudget(projectId, '0.120000')
  const tries = await Promise.allSettled(
    Array.from({ length: 50 }, () => db.as(owner, (tx) => usage.begin(tx, newCall(projectId, newId<RunId>())))),
  )
  const refusals = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  expect(refusals).toHaveLength(40)
  expect(refusals.every((reason) => isAppError(reason, 'over_budget'))).toBe(true)
  // A refused call leaves no row, and nothing else counts against the budget.
  expect(await usage.summary(owner, projectId)).toMatchObject({ calls: 10 })
  await expect(db.as(owner, (tx) => usage.assertRoom(tx, projectId))).rejects.toMatchObject({ code: 'over_budget' })
})

test('what a call did not use is free again; a raised budget counts at once, and none is none', async () => {
  const { db } = database
  const projectId = await freshProject(db, owner)
  await setBudget(projectId, '0.012000')
  const begin = () => db.as(owner, (tx) => usage.begin(tx, newCall(projectId, newId<RunId>())))
  const first = await begin()
  await expect(begin()).rejects.toThrow(
    "The project's budget of $0.01 is reached: $0.01 is spent or reserved, and this call may cost $0.01.",
  )
  await db.as(owner, (tx) => usage.fail(tx, owner, first))
  const second = await begin()
  await db.as(owner, (tx) => usage.settle(tx, owner, second, tokens(1_000, 0)))
  await expect(begin()).rejects.toMatchObject({ code: 'over_budget' })
  await setBudget(projectId, '0.014000')
  await begin()
  await setBudget(projectId, null)
  await begin()
  await db.as(owner, (tx) => usage.assertRoom(tx, projectId))
})
