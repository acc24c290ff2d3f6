import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Preview, PreviewState } from '@guildhall/protocol/preview.ts'
import { and, asc, eq, inArray } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { previewTable } from './table.ts'

export type PreviewRow = typeof previewTable.$inferSelect

export const toPreview = (row: PreviewRow, origin: string): Preview => ({
  projectId: row.projectId,
  branch: row.branch,
  state: row.state,
  origin,
  port: row.port,
  command: row.command,
  logTail: row.logTail,
  error: row.error,
  updatedAt: row.updatedAt.toISOString(),
})

const at = (projectId: ProjectId, branch: string) =>
  and(eq(previewTable.projectId, projectId), eq(previewTable.branch, branch))

export async function findPreview(db: Db, projectId: ProjectId, branch: string): Promise<PreviewRow | null> {
  const [row] = await db.select().from(previewTable).where(at(projectId, branch))
  return row ?? null
}

export async function findByHost(db: Db, host: string): Promise<PreviewRow | null> {
  const [row] = await db.select().from(previewTable).where(eq(previewTable.host, host))
  return row ?? null
}

export const listInStates = (db: Db, states: PreviewState[]): Promise<PreviewRow[]> =>
  db.select().from(previewTable).where(inArray(previewTable.state, states)).orderBy(asc(previewTable.projectId))

/** The row of a preview, made stopped when there was none; an older start command is brought up to date. */
export async function ensurePreview(
  db: Db,
  values: Pick<PreviewRow, 'projectId' | 'branch' | 'branchLabel' | 'host' | 'port' | 'command'>,
): Promise<PreviewRow> {
  const [row] = await db
    .insert(previewTable)
    .values({ ...values, state: 'stopped' })
    .onConflictDoUpdate({
      target: [previewTable.projectId, previewTable.branch],
      set: { port: values.port, command: values.command },
    })
    .returning()
  return row!
}

/** Changes a preview that is in one of `from`; null when it no longer is. */
export async function changePreview(
  db: Db,
  { projectId, branch }: Pick<PreviewRow, 'projectId' | 'branch'>,
  from: PreviewState[],
  change: Partial<Pick<PreviewRow, 'state' | 'logTail' | 'error'>>,
): Promise<PreviewRow | null> {
  const [row] = await db
    .update(previewTable)
    .set(change)
    .where(and(at(projectId, branch), inArray(previewTable.state, from)))
    .returning()
  return row ?? null
}
