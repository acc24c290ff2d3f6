import type { ProjectId, UserId } from '@guildhall/protocol/ids.ts'
import type { Member, ProjectRole } from '@guildhall/protocol/projects.ts'
import { and, asc, eq, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { memberTable, projectTable } from './table.ts'

/** Members with their names, owners of the list first to last by when they came. */
export async function listMembers(db: Db, projectId: ProjectId): Promise<Member[]> {
  const people = sql`guildhall_people(${projectId}::uuid)`
  const rows = await db
    .select({
      userId: memberTable.userId,
      username: sql<string>`people.username`,
      displayName: sql<string>`people.display_name`,
      role: memberTable.role,
      addedAt: memberTable.createdAt,
    })
    .from(memberTable)
    .innerJoin(sql`${people} as people`, sql`people.user_id = ${memberTable.userId}`)
    .where(eq(memberTable.projectId, projectId))
    .orderBy(asc(memberTable.createdAt), asc(memberTable.userId))
  return rows.map((row) => ({ ...row, addedAt: row.addedAt.toISOString() }))
}

export async function findMember(db: Db, projectId: ProjectId, userId: UserId): Promise<Member | null> {
  return (await listMembers(db, projectId)).find((member) => member.userId === userId) ?? null
}

/** The owners, locked until the transaction ends: two owners who leave at once must not both be the second-last. */
export async function lockOwners(db: Db, projectId: ProjectId): Promise<UserId[]> {
  const rows = await db
    .select({ userId: memberTable.userId })
    .from(memberTable)
    .where(and(eq(memberTable.projectId, projectId), eq(memberTable.role, 'owner')))
    .orderBy(asc(memberTable.createdAt), asc(memberTable.userId))
    .for('update')
  return rows.map(({ userId }) => userId)
}

export async function updateMember(db: Db, projectId: ProjectId, userId: UserId, role: ProjectRole): Promise<void> {
  await db
    .update(memberTable)
    .set({ role })
    .where(and(eq(memberTable.projectId, projectId), eq(memberTable.userId, userId)))
}

export async function deleteMember(db: Db, projectId: ProjectId, userId: UserId): Promise<void> {
  await db.delete(memberTable).where(and(eq(memberTable.projectId, projectId), eq(memberTable.userId, userId)))
}

/** Hands the row to another owner. Slugs are unique per owner, so the project takes its id's tail along. */
export async function changeOwner(db: Db, projectId: ProjectId, ownerId: UserId): Promise<void> {
  await db
    .update(projectTable)
    .set({ ownerId, slug: sql`${projectTable.slug} || '-' || right(${projectTable.id}::text, 6)` })
    .where(eq(projectTable.id, projectId))
}

/** The account behind an e-mail address or a username; only what a member list shows. */
export async function findPerson(db: Db, login: string): Promise<UserId | null> {
  const result = await db.execute<{ id: UserId; is_active: boolean }>(
    sql`select id, is_active from guildhall_find_user_by_login(${login})`,
  )
  const row = result.rows[0]
  return row?.is_active ? row.id : null
}
