import type { ProjectId, Sha, TaskId } from '@guildhall/protocol/ids.ts'
import type { Branch } from '@guildhall/protocol/repository.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { and, asc, eq, inArray } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { branchTable } from './table.ts'

export type BranchRow = typeof branchTable.$inferSelect

export const toBranch = (row: BranchRow, counts: { ahead: number; behind: number }): Branch => ({
  name: row.name,
  head: row.headSha,
  base: row.baseSha,
  ahead: counts.ahead,
  behind: counts.behind,
  role: row.role,
  taskId: row.taskId,
  status: row.status,
  updatedAt: row.updatedAt.toISOString(),
})

export const listBranches = (db: Db, projectId: ProjectId): Promise<BranchRow[]> =>
  db.select().from(branchTable).where(eq(branchTable.projectId, projectId)).orderBy(asc(branchTable.portOffset))

export async function findBranch(db: Db, projectId: ProjectId, name: string): Promise<BranchRow | null> {
  const [row] = await db
    .select()
    .from(branchTable)
    .where(and(eq(branchTable.projectId, projectId), eq(branchTable.name, name)))
  return row ?? null
}

/** The branch, if any, that ends in one of these commits: names the one a lost merge came from. */
export async function findBranchAt(db: Db, projectId: ProjectId, heads: Sha[]): Promise<BranchRow | null> {
  if (heads.length === 0) return null
  const rows = await db
    .select()
    .from(branchTable)
    .where(and(eq(branchTable.projectId, projectId), inArray(branchTable.headSha, heads)))
  return rows.find(({ name }) => name !== 'main') ?? null
}

/** Takes the smallest free port offset; call it with the repository's lock held. Null when the row exists already. */
export async function insertBranch(
  db: Db,
  projectId: ProjectId,
  branch: { name: string; baseSha: Sha | null; headSha: Sha; role: Role | null; taskId: TaskId | null },
): Promise<BranchRow | null> {
  const used = new Set((await listBranches(db, projectId)).map(({ portOffset }) => portOffset))
  let portOffset = 0
  while (used.has(portOffset)) portOffset++
  const [row] = await db
    .insert(branchTable)
    .values({ projectId, ...branch, portOffset })
    .onConflictDoNothing({ target: [branchTable.projectId, branchTable.name] })
    .returning()
  return row ?? null
}

export async function updateBranch(
  db: Db,
  projectId: ProjectId,
  name: string,
  change: Partial<Pick<BranchRow, 'headSha' | 'status' | 'mergedSha'>>,
): Promise<void> {
  await db
    .update(branchTable)
    .set(change)
    .where(and(eq(branchTable.projectId, projectId), eq(branchTable.name, name)))
}
