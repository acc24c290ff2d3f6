import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { UsageSummary } from '@guildhall/protocol/usage.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Authorize } from '../projects/service.ts'
import { priceCall, shownUsd } from './price.ts'
import { closeCall, insertCall, lockCall, type NewCall, ratesOf, sumProject } from './store.ts'

export type { CallRates } from './price.ts'
export type { NewCall } from './store.ts'

const nothing: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

export function createUsageService({ db, authorize }: { db: Database; authorize: Authorize }) {
  /** Closes a row once; a second time changes nothing and answers what the first time did. */
  async function close(tx: Db, actor: Actor, id: string, status: 'settled' | 'failed', usage: TokenUsage) {
    const row = await lockCall(tx, id)
    if (!row) throw notFound('Model call')
    if (row.status !== 'sent') return row.costUsd
    const costUsd = priceCall(ratesOf(row), usage)
    await closeCall(tx, id, { ...usage, status, costUsd, latencyMs: Date.now() - row.createdAt.getTime() })
    const total = await sumProject(tx, row.projectId)
    await appendEvent(tx, projectTopic(row.projectId), {
      type: 'usage.recorded',
      actor,
      data: {
        runId: row.runId,
        model: row.model,
        usage,
        costUsd: shownUsd(costUsd),
        totalUsd: shownUsd(total.costUsd),
      },
    })
    return costUsd
  }

  return {
    /**
     * Writes the row of a call before it is sent, with the rates it will be charged by, and answers its id. Commit
     * before sending: a call that a crash swallowed must be visible.
     */
    begin: (tx: Db, call: NewCall): Promise<string> => insertCall(tx, call),

    /**
     * Charges an answered call and announces `usage.recorded`, in the transaction that stores the answer. Answers the
     * cost, eight places: add it to the run and the seat. Charging twice charges once.
     */
    settle: (tx: Db, actor: Actor, id: string, usage: TokenUsage): Promise<string> =>
      close(tx, actor, id, 'settled', usage),

    /** Closes a call that brought no answer, with what the provider had counted by then (`ModelCallError.usage`). */
    fail: (tx: Db, actor: Actor, id: string, usage: TokenUsage = nothing): Promise<string> =>
      close(tx, actor, id, 'failed', usage),

    /** Sums of a project. Throws `not_found` for strangers. */
    async summary(actor: Actor, projectId: ProjectId): Promise<UsageSummary> {
      await authorize(actor, 'project.read', { projectId })
      const sums = await db.as(actor, (tx) => sumProject(tx, projectId))
      return { ...sums, costUsd: shownUsd(sums.costUsd) }
    },
  }
}
export type UsageService = ReturnType<typeof createUsageService>
