import { ProjectId, Timestamp, type UserId } from '@guildhall/protocol/ids.ts'
import type {
  Project,
  ProjectConfig,
  ProjectListQuery,
  ProjectRole,
  ProjectStatus,
  ProjectTemplate,
  Provisioning,
} from '@guildhall/protocol/projects.ts'
import { and, asc, desc, eq, ilike, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Db } from '../../platform/db/database.ts'
import { badCursor } from '../../platform/errors.ts'
import { memberTable, projectTable, templateTable } from './table.ts'

type ProjectRow = typeof projectTable.$inferSelect

export const toProject = (row: ProjectRow): Project => ({
  id: row.id,
  ownerId: row.ownerId,
  name: row.name,
  slug: row.slug,
  description: row.description,
  status: row.status,
  templateSlug: row.templateSlug,
  defaultBranch: row.defaultBranch,
  previewLabel: row.previewLabel,
  config: { ...defaultConfig, ...row.config },
  provisioning: row.provisioning,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  lastActivityAt: row.lastActivityAt.toISOString(),
})

/** Inserts with the first free slug of `slugs`; null when every one is taken. */
export async function insertProject(
  db: Db,
  values: Omit<typeof projectTable.$inferInsert, 'slug'>,
  slugs: Iterable<string>,
): Promise<Project | null> {
  for (const slug of slugs) {
    const [row] = await db
      .insert(projectTable)
      .values({ ...values, slug })
      .onConflictDoNothing({ target: [projectTable.ownerId, projectTable.slug] })
      .returning()
    if (row) return toProject(row)
  }
  return null
}

export async function findProject(db: Db, projectId: ProjectId): Promise<Project | null> {
  const [row] = await db.select().from(projectTable).where(eq(projectTable.id, projectId))
  return row ? toProject(row) : null
}

/** What a person is in a project, and how the project stands; null when neither is theirs to know. */
export async function findStanding(
  db: Db,
  projectId: ProjectId,
  userId: UserId,
): Promise<{ role: ProjectRole; status: ProjectStatus } | null> {
  const [row] = await db
    .select({ role: memberTable.role, status: projectTable.status })
    .from(memberTable)
    .innerJoin(projectTable, eq(projectTable.id, memberTable.projectId))
    .where(and(eq(memberTable.projectId, projectId), eq(memberTable.userId, userId)))
  return row ?? null
}

/** Changes a row and counts its version up; null when `version` is not the newest, or it left the status `from`. */
export async function updateProject(
  db: Db,
  projectId: ProjectId,
  changes: Partial<Pick<ProjectRow, 'name' | 'description' | 'config' | 'status' | 'archivedAt' | 'provisioning'>>,
  { version, from }: { version?: number | undefined; from?: ProjectStatus } = {},
): Promise<Project | null> {
  const [row] = await db
    .update(projectTable)
    .set({ ...changes, version: sql`${projectTable.version} + 1`, lastActivityAt: new Date() })
    .where(
      and(
        eq(projectTable.id, projectId),
        version === undefined ? undefined : eq(projectTable.version, version),
        from === undefined ? undefined : eq(projectTable.status, from),
      ),
    )
    .returning()
  return row ? toProject(row) : null
}

/** Newest activity first. The cursor is the last line's place in that order, so new lines never shift a page. */
export async function listProjects(
  db: Db,
  userId: UserId,
  { q, status, cursor, limit }: ProjectListQuery,
): Promise<{ items: { project: Project; role: ProjectRole }[]; nextCursor: string | null }> {
  const statuses: ProjectStatus[] = status === 'archived' ? ['archived'] : ['creating', 'active', 'error']
  // JavaScript's dates stop at milliseconds, so the order must too.
  const activity = sql`date_trunc('milliseconds', ${projectTable.lastActivityAt})`
  const rows = await db
    .select({ project: projectTable, role: memberTable.role })
    .from(projectTable)
    .innerJoin(memberTable, and(eq(memberTable.projectId, projectTable.id), eq(memberTable.userId, userId)))
    .where(and(inArray(projectTable.status, statuses), matches(q), after(cursor, activity)))
    .orderBy(desc(activity), desc(projectTable.id))
    .limit(limit + 1)
  const items = rows.slice(0, limit).map(({ project, role }) => ({ project: toProject(project), role }))
  const last = items.at(-1)?.project
  const nextCursor = rows.length > limit && last ? `${last.lastActivityAt}_${last.id}` : null
  return { items, nextCursor }
}

function matches(q: string | undefined): SQL | undefined {
  if (!q) return undefined
  const pattern = `%${q.replace(/[\\%_]/g, '\\$&')}%`
  return or(ilike(projectTable.name, pattern), ilike(projectTable.description, pattern))
}

/** What a cursor of `listProjects` says. */
const Place = z.tuple([Timestamp, ProjectId])

function after(cursor: string | undefined, activity: SQL): SQL | undefined {
  if (cursor === undefined) return undefined
  const place = Place.safeParse(cursor.split('_'))
  if (!place.success) throw badCursor()
  const [at, id] = place.data
  return sql`(${activity}, ${projectTable.id}) < (${at}::timestamptz, ${id}::uuid)`
}

const toTemplate = ({
  version: _version,
  isActive: _isActive,
  ...template
}: typeof templateTable.$inferSelect): ProjectTemplate => template

export async function listTemplates(db: Db): Promise<ProjectTemplate[]> {
  const rows = await db
    .select()
    .from(templateTable)
    .where(eq(templateTable.isActive, true))
    .orderBy(asc(templateTable.name))
  return rows.map(toTemplate)
}

/** The project with the template it was made from; also one that is no longer offered. */
export async function findWithTemplate(
  db: Db,
  projectId: ProjectId,
): Promise<{ project: Project; template: ProjectTemplate } | null> {
  const [row] = await db
    .select({ project: projectTable, template: templateTable })
    .from(projectTable)
    .innerJoin(templateTable, eq(templateTable.slug, projectTable.templateSlug))
    .where(eq(projectTable.id, projectId))
  return row ? { project: toProject(row.project), template: toTemplate(row.template) } : null
}

/** Takes the right to create or remove a project for `ms`; null when another worker has it or the state is another. */
export async function leaseProject(
  db: Db,
  projectId: ProjectId,
  status: ProjectStatus,
  ms: number,
): Promise<Project | null> {
  const [row] = await db
    .update(projectTable)
    .set({ leaseUntil: leaseFor(ms) })
    .where(
      and(
        eq(projectTable.id, projectId),
        eq(projectTable.status, status),
        or(isNull(projectTable.leaseUntil), lt(projectTable.leaseUntil, sql`now()`)),
      ),
    )
    .returning()
  return row ? toProject(row) : null
}

/** Keeps a lease that is held; false when the project left that state meanwhile. */
export async function keepLease(db: Db, projectId: ProjectId, status: ProjectStatus, ms: number): Promise<boolean> {
  const rows = await db
    .update(projectTable)
    .set({ leaseUntil: leaseFor(ms) })
    .where(and(eq(projectTable.id, projectId), eq(projectTable.status, status)))
    .returning({ id: projectTable.id })
  return rows.length > 0
}

/** Gives a lease back, at once or after a pause. */
export async function releaseLease(db: Db, projectId: ProjectId, afterMs: number): Promise<void> {
  await db
    .update(projectTable)
    .set({ leaseUntil: leaseFor(afterMs) })
    .where(eq(projectTable.id, projectId))
}

// A number as text, so that the driver needs no guess about its type.
const leaseFor = (ms: number) => (ms === 0 ? null : sql`now() + ${`${ms} milliseconds`}::interval`)

/** Projects that wait for a worker: half made or half removed, and nobody's lease on them. */
export async function listUnattended(db: Db): Promise<{ id: ProjectId; status: ProjectStatus }[]> {
  return db
    .select({ id: projectTable.id, status: projectTable.status })
    .from(projectTable)
    .where(
      and(
        inArray(projectTable.status, ['creating', 'deleting']),
        or(isNull(projectTable.leaseUntil), lt(projectTable.leaseUntil, sql`now()`)),
      ),
    )
}

export async function setProvisioning(db: Db, projectId: ProjectId, provisioning: Provisioning): Promise<void> {
  await db.update(projectTable).set({ provisioning }).where(eq(projectTable.id, projectId))
}

export async function deleteProject(db: Db, projectId: ProjectId): Promise<void> {
  await db.delete(projectTable).where(eq(projectTable.id, projectId))
}

export async function insertMember(
  db: Db,
  member: { projectId: ProjectId; userId: UserId; role: ProjectRole },
): Promise<boolean> {
  const rows = await db.insert(memberTable).values(member).onConflictDoNothing().returning({ id: memberTable.userId })
  return rows.length > 0
}

/** Marks projects as active now; their version stays, since nothing of theirs changed. */
export async function touchProjects(db: Db, projectIds: ProjectId[]): Promise<void> {
  await db.update(projectTable).set({ lastActivityAt: new Date() }).where(inArray(projectTable.id, projectIds))
}

export const defaultConfig: ProjectConfig = { model: null, autonomy: 'review_plan', budgetUsd: null }
