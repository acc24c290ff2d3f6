import type { ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { index, integer, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, ref, updatedAt } from '../../platform/db/columns.ts'
import { projectTable } from '../projects/table.ts'

/** What the platform knows of a branch beyond its ref: who made it, for which task, and its work tree's port. */
export const branchTable = pgTable(
  'git_branches',
  {
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    baseSha: text().$type<Sha>(),
    headSha: text().$type<Sha>().notNull(),
    role: text().$type<Role>(),
    taskId: ref<TaskId>(),
    /** The work tree's `$PORT` is 3000 + this. */
    portOffset: integer().notNull(),
    status: text().$type<'active' | 'merged' | 'abandoned'>().notNull().default('active'),
    mergedSha: text().$type<Sha>(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.name] }),
    uniqueIndex().on(table.projectId, table.portOffset),
    index().on(table.taskId),
  ],
)
