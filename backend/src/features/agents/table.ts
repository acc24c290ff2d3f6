import type { AgentState, RunPurpose, RunState, StepState } from '@guildhall/protocol/agents.ts'
import type { AgentId, ConversationId, ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { bigint, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, money, ref, updatedAt } from '../../platform/db/columns.ts'
import { conversationTable } from '../conversations/table.ts'
import { projectTable } from '../projects/table.ts'

/** A seat in a project's crew. */
export const agentTable = pgTable(
  'agents',
  {
    id: id<AgentId>(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    role: text().$type<Role>().notNull(),
    name: text().notNull(),
    state: text().$type<AgentState>().notNull().default('idle'),
    activity: text(),
    taskId: ref<TaskId>(),
    runId: ref<RunId>(),
    costUsd: money().notNull().default('0'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex().on(table.projectId, table.role, table.name)],
)

/** A run is the row, not the job. Every write of a worker carries `epoch`; a lower one changes nothing. */
export const runTable = pgTable(
  'runs',
  {
    id: id<RunId>(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    conversationId: ref<ConversationId>()
      .notNull()
      .references(() => conversationTable.id, { onDelete: 'cascade' }),
    taskId: ref<TaskId>(),
    agentId: ref<AgentId>()
      .notNull()
      .references(() => agentTable.id, { onDelete: 'cascade' }),
    userId: ref<UserId>().notNull(),
    role: text().$type<Role>().notNull(),
    purpose: text().$type<RunPurpose>().notNull(),
    state: text().$type<RunState>().notNull(),
    priority: integer().notNull().default(0),
    epoch: integer().notNull().default(0),
    leaseUntil: at(),
    worker: text(),
    model: text(),
    /** The frozen beginning of the conversation with the model: system text and the first message. */
    opening: jsonb().$type<{ system: string; first: string; promptVersion: string; heardSeq: number }>(),
    costUsd: money().notNull().default('0'),
    error: text(),
    cancelRequestedAt: at(),
    /** When the feature that ordered the run was told that it failed or was cancelled; null = still to be told. */
    reportedAt: at(),
    queuedAt: createdAt(),
    startedAt: at(),
    endedAt: at(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index().on(table.projectId, table.state),
    index().on(table.state, table.leaseUntil),
    index().on(table.taskId),
  ],
)

/** The ledger: what was about to happen, then what came of it. */
export const stepTable = pgTable(
  'run_steps',
  {
    runId: ref<RunId>()
      .notNull()
      .references(() => runTable.id, { onDelete: 'cascade' }),
    seq: integer().notNull(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    epoch: integer().notNull(),
    kind: text().$type<'model' | 'tool'>().notNull(),
    name: text().notNull(),
    state: text().$type<StepState>().notNull(),
    input: jsonb().$type<unknown>(),
    output: jsonb().$type<unknown>(),
    /** The event of the project's log that shows its result; claims cite it. */
    eventSeq: bigint({ mode: 'number' }),
    startedAt: createdAt(),
    endedAt: at(),
  },
  (table) => [primaryKey({ columns: [table.runId, table.seq] })],
)
