import type { ConversationId, PlanId, ProjectId, RunId, Sha, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type {
  CheckResult,
  Claim,
  Constraint,
  Criterion,
  CriterionName,
  DocumentState,
  TaskState,
  TickedBox,
  VerdictComment,
} from '@guildhall/protocol/tasks.ts'
import { boolean, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref, updatedAt } from '../../platform/db/columns.ts'
import { projectTable } from '../projects/table.ts'
import { conversationTable } from '../conversations/table.ts'

export const planTable = pgTable(
  'plans',
  {
    id: id<PlanId>(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    conversationId: ref<ConversationId>()
      .notNull()
      .references(() => conversationTable.id, { onDelete: 'cascade' }),
    runId: ref<RunId>().notNull(),
    number: integer().notNull(),
    summary: text().notNull(),
    assumptions: jsonb().$type<string[]>().notNull(),
    state: text().$type<DocumentState>().notNull(),
    version: integer().notNull().default(1),
    createdFor: ref<UserId>().notNull(),
    approvedBy: ref<UserId>(),
    approvedAt: at(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex().on(table.projectId, table.number)],
)

export const taskTable = pgTable(
  'tasks',
  {
    id: id<TaskId>(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    planId: ref<PlanId>()
      .notNull()
      .references(() => planTable.id, { onDelete: 'cascade' }),
    conversationId: ref<ConversationId>().notNull(),
    key: text().notNull(),
    title: text().notNull(),
    goal: text().notNull(),
    role: text().$type<Role>().notNull(),
    form: text().$type<'short' | 'full'>().notNull(),
    state: text().$type<TaskState>().notNull(),
    reason: text(),
    dependsOn: jsonb().$type<TaskId[]>().notNull(),
    scope: jsonb().$type<string[]>().notNull(),
    criteria: jsonb().$type<Criterion[]>().notNull(),
    constraints: jsonb().$type<Constraint[]>().notNull(),
    boxes: jsonb().$type<TickedBox[]>().notNull(),
    replaces: jsonb().$type<CriterionName[]>().notNull().default([]),
    branch: text(),
    base: text().$type<Sha>(),
    head: text().$type<Sha>(),
    tree: text().$type<Sha>(),
    mergedAs: text().$type<Sha>(),
    claims: jsonb().$type<Claim[]>().notNull().default([]),
    summary: text(),
    returns: integer().notNull().default(0),
    /** Place in the merge queue: the smallest goes first. */
    queuedAt: at(),
    /** Whose rights and money the work uses. */
    createdFor: ref<UserId>().notNull(),
    /** Lease of the worker that checks or merges it; same rules as a run's. */
    epoch: integer().notNull().default(0),
    leaseUntil: at(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex().on(table.projectId, table.planId, table.key), index().on(table.projectId, table.state)],
)

export const checkRunTable = pgTable(
  'check_runs',
  {
    id: id(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    taskId: ref<TaskId>()
      .notNull()
      .references(() => taskTable.id, { onDelete: 'cascade' }),
    stage: text().$type<'branch' | 'merge'>().notNull(),
    tree: text().$type<Sha>().notNull(),
    passed: boolean().notNull(),
    results: jsonb().$type<CheckResult[]>().notNull(),
    error: text(),
    startedAt: at().notNull(),
    endedAt: at().notNull(),
  },
  (table) => [index().on(table.taskId, table.startedAt)],
)

export const reviewTable = pgTable(
  'reviews',
  {
    id: id(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    taskId: ref<TaskId>()
      .notNull()
      .references(() => taskTable.id, { onDelete: 'cascade' }),
    runId: uuid().$type<RunId>().notNull().unique(),
    role: text().$type<Role>().notNull(),
    base: text().$type<Sha>().notNull(),
    tree: text().$type<Sha>().notNull(),
    verdict: text().$type<'approve' | 'request_changes'>().notNull(),
    summary: text().notNull(),
    comments: jsonb().$type<VerdictComment[]>().notNull(),
    at: createdAt(),
  },
  (table) => [index().on(table.taskId, table.at)],
)
