import type { Actor } from '@guildhall/protocol/actor.ts'
import type { SessionId, UserId } from '@guildhall/protocol/ids.ts'
import type { Session, User } from '@guildhall/protocol/identity.ts'
import { toSnakeCase } from 'drizzle-orm/casing'
import { and, asc, desc, eq, getTableColumns, gt, isNull, ne, type SQL, sql } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Db } from '../../platform/db/database.ts'
import { newId } from '../../platform/ids.ts'
import { auditTable, sessionTable, ticketTable, userTable } from './table.ts'

export type UserRow = typeof userTable.$inferSelect
export type SessionRow = typeof sessionTable.$inferSelect
export type TicketRow = typeof ticketTable.$inferSelect
export type Person = Actor & { kind: 'user' }

export const toUser = (row: UserRow): User => ({
  id: row.id,
  email: row.email,
  username: row.username,
  displayName: row.displayName,
  role: row.role,
  hasPassword: row.passwordHash !== null,
  createdAt: row.createdAt.toISOString(),
})

/**
 * The first row of a definer function of migrations/0001_rules.sql, as a row of `table`. Before sign-in there is no
 * actor, so role `app` sees none of these rows itself.
 */
async function firstOf<Table extends PgTable>(db: Db, table: Table, call: SQL): Promise<Table['$inferSelect'] | null> {
  // drizzle wants a column's table in the query, and here it is a function: name and decoder are taken from the column.
  const fields = Object.entries(getTableColumns(table)).map(
    ([key, column]) => [key, sql`${sql.identifier(toSnakeCase(column.name))}`.mapWith(column)] as const,
  )
  const rows = await db.select(Object.fromEntries(fields)).from(call)
  return (rows[0] as Table['$inferSelect'] | undefined) ?? null
}

/** Throws the database's unique violation (23505) when the e-mail address or the username is taken, in any case. */
export async function insertUser(
  db: Db,
  user: { email: string; username: string; displayName: string; passwordHash: string },
): Promise<UserRow> {
  const id = newId<UserId>()
  const row = await firstOf(
    db,
    userTable,
    sql`guildhall_insert_user(${id}::uuid, ${user.email}, ${user.username}, ${user.displayName}, ${user.passwordHash})`,
  )
  return row!
}

export const findUser = (db: Db, userId: UserId): Promise<UserRow | null> =>
  firstOf(db, userTable, sql`guildhall_find_user(${userId}::uuid)`)

/** By e-mail address or username, whatever the case. A username holds no `@`, so they never collide. */
export const findUserByLogin = (db: Db, login: string): Promise<UserRow | null> =>
  firstOf(db, userTable, sql`guildhall_find_user_by_login(${login})`)

/** The administrator that the seed made, or whoever is the oldest one. Needs the house's rights. */
export async function findFirstAdmin(db: Db): Promise<UserRow | null> {
  const [row] = await db
    .select()
    .from(userTable)
    .where(and(eq(userTable.role, 'admin'), eq(userTable.isActive, true)))
    .orderBy(asc(userTable.createdAt), asc(userTable.id))
    .limit(1)
  return row ?? null
}

export async function updatePassword(db: Db, userId: UserId, passwordHash: string): Promise<void> {
  await db.update(userTable).set({ passwordHash }).where(eq(userTable.id, userId))
}

export async function updateDisplayName(db: Db, userId: UserId, displayName: string): Promise<void> {
  await db.update(userTable).set({ displayName }).where(eq(userTable.id, userId))
}

/** Also marks the user's last sign-in. */
export async function insertSession(
  db: Db,
  session: { id: SessionId; userId: UserId; refreshHash: string; device: string; rememberMe: boolean; expiresAt: Date },
): Promise<void> {
  const { id, userId, refreshHash, device, rememberMe, expiresAt } = session
  await firstOf(
    db,
    sessionTable,
    sql`guildhall_insert_session(${id}::uuid, ${userId}::uuid, ${refreshHash}, ${device}, ${rememberMe}::boolean,
      ${expiresAt.toISOString()}::timestamptz)`,
  )
}

/** A session that still counts; ended and expired ones are none. */
export async function findLiveSession(db: Db, sessionId: SessionId): Promise<SessionRow | null> {
  const row = await firstOf(db, sessionTable, sql`guildhall_find_session(${sessionId}::uuid)`)
  return row && !row.revokedAt && row.expiresAt > new Date() ? row : null
}

/** Swaps the refresh secret, once: of two callers that hold the same one, a single one gets the session. */
export const rotateSession = (
  db: Db,
  sessionId: SessionId,
  { from, to, expiresAt }: { from: string; to: string; expiresAt: Date },
): Promise<SessionRow | null> =>
  firstOf(
    db,
    sessionTable,
    sql`guildhall_rotate_session(${sessionId}::uuid, ${from}, ${to}, ${expiresAt.toISOString()}::timestamptz)`,
  )

/** Ends live sessions of a user: the one, or all but the one. Answers which ended. */
export async function revokeSessions(
  db: Db,
  userId: UserId,
  which: { only: SessionId } | { allBut: SessionId },
): Promise<SessionId[]> {
  const rows = await db
    .update(sessionTable)
    .set({ revokedAt: new Date() })
    .where(
      and(
        eq(sessionTable.userId, userId),
        isNull(sessionTable.revokedAt),
        'only' in which ? eq(sessionTable.id, which.only) : ne(sessionTable.id, which.allBut),
      ),
    )
    .returning({ id: sessionTable.id })
  return rows.map(({ id }) => id)
}

export async function listSessions(db: Db, userId: UserId, current: SessionId): Promise<Session[]> {
  const rows = await db
    .select()
    .from(sessionTable)
    .where(and(eq(sessionTable.userId, userId), isNull(sessionTable.revokedAt), gt(sessionTable.expiresAt, sql`now()`)))
    .orderBy(desc(sessionTable.lastSeenAt))
  return rows.map((row) => ({
    id: row.id,
    device: row.device,
    createdAt: row.createdAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
    current: row.id === current,
  }))
}

export async function insertTicket(db: Db, ticket: typeof ticketTable.$inferInsert): Promise<void> {
  await db.insert(ticketTable).values(ticket)
}

/** Takes a ticket off the table; the second taker finds nothing. */
export const takeTicket = (db: Db, kind: TicketRow['kind'], hash: string): Promise<TicketRow | null> =>
  firstOf(db, ticketTable, sql`guildhall_take_ticket(${kind}, ${hash})`)

/** Sign-in links of a user that were not used. */
export async function deleteLinks(db: Db, userId: UserId): Promise<void> {
  await db.delete(ticketTable).where(and(eq(ticketTable.userId, userId), eq(ticketTable.kind, 'link')))
}

/** No RETURNING: before sign-in nobody may read the row back. */
export async function insertAudit(db: Db, row: typeof auditTable.$inferInsert): Promise<void> {
  await db.insert(auditTable).values(row)
}
