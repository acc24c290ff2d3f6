import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { UsageSummary } from '@guildhall/protocol/usage.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { AppError, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Authorize } from '../projects/service.ts'
import { cents, priceCall, shownUsd, units } from './price.ts'
import {
  closeCall,
  type CostRow,
  findBudget,
  findCall,
  insertCall,
  lockBudget,
  type NewCall,
  ratesOf,
  sumProject,
} from './store.ts'

export type { CallRates } from './price.ts'
export type { NewCall } from './store.ts'
/** The row of a call that is under way. */
export type SentCall = CostRow

const overBudget = (budgetUsd: string, why: string) =>
  new AppError(
    'over_budget',
    `The project's budget of ${cents(units(budgetUsd))} is reached: ${why}. Raise it in the project's settings, then go on.`,
  )

const nothing: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

export function createUsageService({ db, authorize }: { db: Database; authorize: Authorize }) {
  /** Closes a row once; a second time changes nothing and answers what the first time did. */
  async function close(tx: Db, actor: Actor, sent: SentCall, status: 'settled' | 'failed', usage: TokenUsage) {
    const { id, projectId, runId, model } = sent
    const costUsd = priceCall(ratesOf(sent), usage)
    const latencyMs = Date.now() - sent.createdAt.getTime()
    const isFirst = await closeCall(tx, id as string, { ...usage, status, costUsd, latencyMs })
    if (!isFirst) return (await callOf(tx, id as string)).costUsd
    await appendEvent(tx, projectTopic(projectId), {
      type: 'usage.recorded',
      actor,
      data: { runId, model, usage, costUsd: shownUsd(costUsd) },
    })
    return costUsd
  }

  async function callOf(tx: Db, id: string): Promise<SentCall> {
    const row = await findCall(tx, id)
    if (!row) throw notFound('Model call')
    return row
  }

  return {
    /**
     * Writes the row of a call before it is sent, with the rates it will be charged by, and answers it. Commit before
     * sending: a call that a crash swallowed must be visible. The most it can cost is reserved with it; throws
     * `over_budget` where the project's budget has no room for that, however many calls ask at once.
     */
    async begin(tx: Db, wanted: NewCall): Promise<SentCall> {
      const { call, budgetUsd } = await insertCall(tx, wanted)
      if (budgetUsd === null) return call
      await lockBudget(tx, wanted.projectId)
      const { committedUsd } = await findBudget(tx, wanted.projectId)
      if (units(committedUsd) <= units(budgetUsd)) return call
      const before = units(committedUsd) - units(call.reservedUsd)
      throw overBudget(
        budgetUsd,
        `${cents(before)} is spent or reserved, and this call may cost ${cents(units(call.reservedUsd))}`,
      )
    },

    /** Throws `over_budget` where a project has nothing left to spend. */
    async assertRoom(tx: Db, projectId: ProjectId): Promise<void> {
      const { budgetUsd, committedUsd } = await findBudget(tx, projectId)
      if (budgetUsd !== null && units(committedUsd) >= units(budgetUsd))
        throw overBudget(budgetUsd, `${cents(units(committedUsd))} is spent or reserved`)
    },

    /**
     * Charges an answered call and announces `usage.recorded`, in the transaction that stores the answer. Answers the
     * cost, eight places: add it to the run and the seat. Charging twice charges once.
     */
    settle: (tx: Db, actor: Actor, call: SentCall, usage: TokenUsage): Promise<string> =>
      close(tx, actor, call, 'settled', usage),

    /** Closes a call that brought no answer, with what the provider had counted by then (`ModelCallError.usage`). */
    fail: (tx: Db, actor: Actor, call: SentCall, usage: TokenUsage = nothing): Promise<string> =>
      close(tx, actor, call, 'failed', usage),

    /** The same for a call that a crash left behind: what became of it nobody knows. Throws `not_found`. */
    abandon: async (tx: Db, actor: Actor, id: string): Promise<string> =>
      close(tx, actor, await callOf(tx, id), 'failed', nothing),

    /** Sums of a project. Throws `not_found` for strangers. */
    async summary(actor: Actor, projectId: ProjectId): Promise<UsageSummary> {
      await authorize(actor, 'project.read', { projectId })
      const sums = await db.as(actor, (tx) => sumProject(tx, projectId))
      return { ...sums, costUsd: shownUsd(sums.costUsd) }
    },
  }
}
export type UsageService = ReturnType<typeof createUsageService>
