import type { ProjectId, UserId } from '@guildhall/protocol/ids.ts'
import type { AllowedHost } from '@guildhall/protocol/sandbox.ts'
import { and, asc, count, eq, sql } from 'drizzle-orm'
import type { Db } from '../../../platform/db/database.ts'
import { allowedHostTable as hosts } from '../table.ts'

type Row = typeof hosts.$inferSelect

const toHost = ({ target, allowedBy, allowedAt, sentBytes, receivedBytes, lastUsedAt }: Row): AllowedHost => ({
  target,
  allowedBy,
  allowedAt: allowedAt.toISOString(),
  sentBytes,
  receivedBytes,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
})

const one = (projectId: ProjectId, target: string) => and(eq(hosts.projectId, projectId), eq(hosts.target, target))

export async function listHosts(db: Db, projectId: ProjectId): Promise<AllowedHost[]> {
  const rows = await db.select().from(hosts).where(eq(hosts.projectId, projectId)).orderBy(asc(hosts.target))
  return rows.map(toHost)
}

export async function findHost(db: Db, projectId: ProjectId, target: string): Promise<AllowedHost | null> {
  const [row] = await db.select().from(hosts).where(one(projectId, target))
  return row ? toHost(row) : null
}

export async function countHosts(db: Db, projectId: ProjectId): Promise<number> {
  const [row] = await db.select({ many: count() }).from(hosts).where(eq(hosts.projectId, projectId))
  return row!.many
}

/** Null when it is there already. */
export async function insertHost(
  db: Db,
  host: { projectId: ProjectId; target: string; allowedBy: UserId },
): Promise<AllowedHost | null> {
  const [row] = await db.insert(hosts).values(host).onConflictDoNothing().returning()
  return row ? toHost(row) : null
}

/** False when it is gone already. */
export async function deleteHost(db: Db, projectId: ProjectId, target: string): Promise<boolean> {
  const rows = await db.delete(hosts).where(one(projectId, target)).returning({ target: hosts.target })
  return rows.length > 0
}

/** Adds what one connection carried; nothing when the host was withdrawn meanwhile. */
export async function addTraffic(
  db: Db,
  projectId: ProjectId,
  target: string,
  { sentBytes, receivedBytes }: { sentBytes: number; receivedBytes: number },
): Promise<void> {
  await db
    .update(hosts)
    .set({
      sentBytes: sql`${hosts.sentBytes} + ${sentBytes}`,
      receivedBytes: sql`${hosts.receivedBytes} + ${receivedBytes}`,
      lastUsedAt: sql`now()`,
    })
    .where(one(projectId, target))
}
