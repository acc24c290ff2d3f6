import type { ProjectId, SlotId } from '@guildhall/protocol/ids.ts'
import type { SandboxLimits, SandboxState } from '@guildhall/protocol/sandbox.ts'
import { sql } from 'drizzle-orm'
import { integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref, updatedAt } from '../../platform/db/columns.ts'
import { projectTable } from '../projects/table.ts'

/** A slot is container + volume + uid made together. The engine's truth wins over this row. */
export const slotTable = pgTable(
  'containers',
  {
    id: id<SlotId>(),
    projectId: ref<ProjectId>().references(() => projectTable.id, { onDelete: 'set null' }),
    driver: text().notNull(),
    engineId: text(),
    volumeName: text().notNull(),
    uid: integer().notNull(),
    image: text().notNull(),
    state: text().$type<SandboxState>().notNull(),
    limits: jsonb().$type<SandboxLimits>().notNull(),
    error: text(),
    /** The keeper's lease: one process watches a sandbox at a time. */
    keeper: text(),
    keeperUntil: at(),
    startedAt: at(),
    stoppedAt: at(),
    lastActiveAt: at(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    uniqueIndex('containers_one_live_per_project')
      .on(table.projectId)
      .where(sql`${table.projectId} is not null`),
    uniqueIndex('containers_uid').on(table.uid),
  ],
)
