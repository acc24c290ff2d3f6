import type { ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { UsageSummary } from '@guildhall/protocol/usage.ts'
import { and, eq, getTableColumns, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { type CallRates, priceCall } from './price.ts'
import { costTable } from './table.ts'

export type CostRow = typeof costTable.$inferSelect

export type NewCall = {
  userId: UserId
  projectId: ProjectId
  taskId?: TaskId | null
  runId: RunId
  step: number
  role: Role
  provider: string
  model: string
  prices: CallRates
  /** The most it can use: what is sent, and as much answer as it may give. */
  worst: TokenUsage
}

/** Rates as one flat record, so that a row alone says how its cost came about. */
function flatRates({ input, output, cacheRead, cacheWrite, longPrompt }: CallRates): Record<string, string> {
  const flat: Record<string, string> = { input, output, cacheRead, cacheWrite }
  if (longPrompt) for (const [name, value] of Object.entries(longPrompt)) flat[`longPrompt.${name}`] = String(value)
  return flat
}

export function ratesOf(row: CostRow): CallRates {
  const flat = row.unitPrices
  const rates = (prefix: string) => ({
    input: flat[`${prefix}input`]!,
    output: flat[`${prefix}output`]!,
    cacheRead: flat[`${prefix}cacheRead`]!,
    cacheWrite: flat[`${prefix}cacheWrite`]!,
  })
  const overTokens = flat['longPrompt.overTokens']
  return {
    ...rates(''),
    ...(overTokens && { longPrompt: { overTokens: Number(overTokens), ...rates('longPrompt.') } }),
  }
}

/** Of another room, so it is asked by its name and not through its table. */
const budgetOf = (projectId: ProjectId) =>
  sql<string | null>`(select config ->> 'budgetUsd' from projects where projects.id = ${projectId})`

/** The row of a call that is to be sent, and the project's budget, in one question. */
export async function insertCall(
  db: Db,
  { prices, worst, ...call }: NewCall,
): Promise<{ call: CostRow; budgetUsd: string | null }> {
  const [row] = await db
    .insert(costTable)
    .values({ ...call, status: 'sent', unitPrices: flatRates(prices), reservedUsd: priceCall(prices, worst) })
    .returning({ ...getTableColumns(costTable), budgetUsd: budgetOf(call.projectId) })
  const { budgetUsd, ...inserted } = row!
  return { call: inserted, budgetUsd }
}

/** Holds off every other look at a project's budget until the transaction ends. */
export const lockBudget = (db: Db, projectId: ProjectId) =>
  db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`budget:${projectId}`}, 0))`)

/** What is spent, and reserved for calls under way; and the budget it counts against. */
export async function findBudget(
  db: Db,
  projectId: ProjectId,
): Promise<{ budgetUsd: string | null; committedUsd: string }> {
  const committed = sql<string>`coalesce(sum(case when ${costTable.status} = 'sent' then ${costTable.reservedUsd} else ${costTable.costUsd} end), 0)::numeric(18,8)::text`
  const [row] = await db
    .select({ budgetUsd: budgetOf(projectId), committedUsd: committed })
    .from(costTable)
    .where(eq(costTable.projectId, projectId))
  return row!
}

export async function findCall(db: Db, id: string): Promise<CostRow | null> {
  const [row] = await db
    .select()
    .from(costTable)
    .where(eq(costTable.id, id as never))
  return row ?? null
}

/** False when it was closed before: of two that close it, the first one counts. */
export async function closeCall(
  db: Db,
  id: string,
  values: TokenUsage & { status: 'settled' | 'failed'; costUsd: string; latencyMs: number },
): Promise<boolean> {
  const closed = await db
    .update(costTable)
    .set(values)
    .where(and(eq(costTable.id, id as never), eq(costTable.status, 'sent')))
    .returning({ id: costTable.id })
  return closed.length > 0
}

/** Sums of a project, exact; eight places. */
export async function sumProject(db: Db, projectId: ProjectId): Promise<UsageSummary> {
  const [row] = await db
    .select({
      costUsd: sql<string>`coalesce(sum(${costTable.costUsd}), 0)::numeric(18,8)::text`,
      calls: sql<number>`count(*)::int`,
      inputTokens: sql<string>`coalesce(sum(${costTable.inputTokens}), 0)`.mapWith(Number),
      outputTokens: sql<string>`coalesce(sum(${costTable.outputTokens}), 0)`.mapWith(Number),
      cacheReadTokens: sql<string>`coalesce(sum(${costTable.cacheReadTokens}), 0)`.mapWith(Number),
      cacheWriteTokens: sql<string>`coalesce(sum(${costTable.cacheWriteTokens}), 0)`.mapWith(Number),
    })
    .from(costTable)
    .where(eq(costTable.projectId, projectId))
  return row!
}
