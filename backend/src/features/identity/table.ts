import type { PlatformRole } from '@guildhall/protocol/actor.ts'
import type { ProjectId, SessionId, UserId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import { boolean, index, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref, updatedAt } from '../../platform/db/columns.ts'

export const userTable = pgTable(
  'users',
  {
    id: id<UserId>(),
    email: text(),
    username: text().notNull(),
    displayName: text().notNull(),
    passwordHash: text(),
    role: text().$type<PlatformRole>().notNull().default('user'),
    isVerified: boolean().notNull().default(false),
    isActive: boolean().notNull().default(true),
    lastLoginAt: at(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    uniqueIndex('users_email').on(sql`lower(${table.email})`),
    uniqueIndex('users_username').on(sql`lower(${table.username})`),
  ],
)

/** One row a device. `refreshHash` is the sha-256 of the newest refresh token; an older one ends the session. */
export const sessionTable = pgTable(
  'sessions',
  {
    id: id<SessionId>(),
    userId: ref<UserId>()
      .notNull()
      .references(() => userTable.id, { onDelete: 'cascade' }),
    refreshHash: text().notNull(),
    device: text().notNull(),
    rememberMe: boolean().notNull().default(false),
    expiresAt: at().notNull(),
    revokedAt: at(),
    lastSeenAt: createdAt(),
    createdAt: createdAt(),
  },
  (table) => [index().on(table.userId)],
)

/** Single-use secrets: sign-in links, socket tickets, preview tickets. Only hashes are kept. */
export const ticketTable = pgTable('tickets', {
  hash: text().primaryKey(),
  kind: text().$type<'link' | 'ws' | 'preview'>().notNull(),
  userId: ref<UserId>()
    .notNull()
    .references(() => userTable.id, { onDelete: 'cascade' }),
  sessionId: ref<SessionId>().references(() => sessionTable.id, { onDelete: 'cascade' }),
  data: jsonb().$type<Record<string, string>>().notNull().default({}),
  expiresAt: at().notNull(),
  createdAt: createdAt(),
})

/** Append-only: the app role may insert and read, nothing else. */
export const auditTable = pgTable(
  'audit_log',
  {
    id: id(),
    actorType: text().notNull(),
    actorId: text(),
    action: text().notNull(),
    targetType: text().notNull(),
    targetId: text(),
    projectId: ref<ProjectId>(),
    address: text(),
    requestId: text(),
    result: text().$type<'ok' | 'refused'>().notNull(),
    at: createdAt(),
  },
  (table) => [index().on(table.projectId, table.at)],
)
