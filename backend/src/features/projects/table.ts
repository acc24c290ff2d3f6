import type { ProjectId, UserId } from '@guildhall/protocol/ids.ts'
import type { ProjectConfig, ProjectRole, ProjectStatus, Provisioning } from '@guildhall/protocol/projects.ts'
import { boolean, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref, updatedAt } from '../../platform/db/columns.ts'
import { userTable } from '../identity/table.ts'

export const templateTable = pgTable('project_templates', {
  slug: text().primaryKey(),
  name: text().notNull(),
  description: text().notNull(),
  stack: jsonb().$type<string[]>().notNull(),
  setupCommand: text(),
  startCommand: text().notNull(),
  testCommand: text(),
  version: integer().notNull(),
  isActive: boolean().notNull().default(true),
})

export const projectTable = pgTable(
  'projects',
  {
    id: id<ProjectId>(),
    ownerId: ref<UserId>()
      .notNull()
      .references(() => userTable.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    slug: text().notNull(),
    description: text().notNull().default(''),
    status: text().$type<ProjectStatus>().notNull(),
    templateSlug: text()
      .notNull()
      .references(() => templateTable.slug),
    defaultBranch: text().notNull().default('main'),
    previewLabel: text().notNull().unique(),
    config: jsonb().$type<ProjectConfig>().notNull(),
    provisioning: jsonb().$type<Provisioning>(),
    /** Who creates or removes the project right now holds it this long; a dead worker's lease just ends. */
    leaseUntil: at(),
    version: integer().notNull().default(1),
    archivedAt: at(),
    lastActivityAt: createdAt(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    uniqueIndex().on(table.ownerId, table.slug),
    index().on(table.ownerId, table.status, table.lastActivityAt),
  ],
)

export const memberTable = pgTable(
  'project_members',
  {
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    userId: ref<UserId>()
      .notNull()
      .references(() => userTable.id, { onDelete: 'cascade' }),
    role: text().$type<ProjectRole>().notNull(),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.projectId, table.userId] }), index().on(table.userId)],
)
