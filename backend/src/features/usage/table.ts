import type { ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { createdAt, id, money, ref, updatedAt } from '../../platform/db/columns.ts'
import { userTable } from '../identity/table.ts'
import { projectTable } from '../projects/table.ts'

/** One row a model call, written before it is sent and settled after; failed calls stay. */
export const costTable = pgTable(
  'cost_tracking',
  {
    id: id(),
    userId: ref<UserId>()
      .notNull()
      .references(() => userTable.id, { onDelete: 'cascade' }),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    taskId: ref<TaskId>(),
    runId: ref<RunId>().notNull(),
    step: integer().notNull(),
    role: text().$type<Role>().notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    status: text().$type<'sent' | 'settled' | 'failed'>().notNull(),
    inputTokens: integer().notNull().default(0),
    outputTokens: integer().notNull().default(0),
    cacheReadTokens: integer().notNull().default(0),
    cacheWriteTokens: integer().notNull().default(0),
    unitPrices: jsonb().$type<Record<string, string>>().notNull(),
    /** What it may cost at most; counts against the budget until the call is closed. */
    reservedUsd: money().notNull(),
    costUsd: money().notNull().default('0'),
    latencyMs: integer(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index().on(table.projectId, table.createdAt),
    index().on(table.userId, table.createdAt),
    index().on(table.runId),
  ],
)
