import type { ProjectId, SlotId, UserId } from '@guildhall/protocol/ids.ts'
import type { SandboxDisk, SandboxLimits, SandboxState } from '@guildhall/protocol/sandbox.ts'
import { sql } from 'drizzle-orm'
import { bigint, integer, jsonb, pgTable, primaryKey, real, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref, updatedAt } from '../../platform/db/columns.ts'
import { userTable } from '../identity/table.ts'
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
    /** As it was last told; the sandbox itself knows the bytes of this moment. */
    disk: jsonb().$type<SandboxDisk>(),
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

/** What code in a project's sandboxes may reach besides the package mirrors; exact `host:port` in lower case. */
export const allowedHostTable = pgTable(
  'egress_hosts',
  {
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    target: text().notNull(),
    allowedBy: ref<UserId>().references(() => userTable.id, { onDelete: 'set null' }),
    allowedAt: createdAt(),
    sentBytes: bigint({ mode: 'number' }).notNull().default(0),
    receivedBytes: bigint({ mode: 'number' }).notNull().default(0),
    lastUsedAt: at(),
  },
  (table) => [primaryKey({ columns: [table.projectId, table.target] })],
)

/** What a project's sandbox used, every few seconds while it ran; a day is kept. */
export const statsTable = pgTable(
  'container_stats',
  {
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    at: at().notNull(),
    cpus: real().notNull(),
    memoryBytes: bigint({ mode: 'number' }).notNull(),
    pids: integer().notNull(),
    diskUsedBytes: bigint({ mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.projectId, table.at] })],
)
