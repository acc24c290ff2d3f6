import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { UsageSummary } from '@guildhall/protocol/usage.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Authorize } from '../projects/service.ts'
import { priceCall, shownUsd } from './price.ts'
import { closeCall, type CostRow, findCall, insertCall, type NewCall, ratesOf, sumProject } from './store.ts'

export type { CallRates } from './price.ts'
export type { NewCall } from './store.ts'
/** The row of a call that is under way. */
export type SentCall = CostRow

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
     * sending: a call that a crash swallowed must be visible.
     */
    begin: (tx: Db, call: NewCall): Promise<SentCall> => insertCall(tx, call),

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
