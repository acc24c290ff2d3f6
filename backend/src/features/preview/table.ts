import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { PreviewState } from '@guildhall/protocol/preview.ts'
import { integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { createdAt, ref, updatedAt } from '../../platform/db/columns.ts'
import { projectTable } from '../projects/table.ts'

export const previewTable = pgTable(
  'previews',
  {
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    branch: text().notNull(),
    /** The second half of the host name; short, unique in the project, one DNS label with the first half. */
    branchLabel: text().notNull(),
    /** Both halves, `<previewLabel>--<branchLabel>`: what a request's host name is looked up by. */
    host: text().notNull().unique(),
    state: text().$type<PreviewState>().notNull(),
    port: integer().notNull(),
    command: text().notNull(),
    logTail: text().notNull().default(''),
    error: text(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [primaryKey({ columns: [table.projectId, table.branch] })],
)
