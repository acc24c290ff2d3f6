import type { Agent, AgentState, Run, RunPurpose, RunState } from '@guildhall/protocol/agents.ts'
import type { AgentId, ConversationId, ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { and, asc, desc, eq, getTableColumns, inArray, isNotNull, isNull, ne, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { agentTable, runTable, stepTable } from './table.ts'

export type RunRow = typeof runTable.$inferSelect & { steps: number }

const shownUsd = (exact: string) => Number(exact).toFixed(6)
const iso = (date: Date | null) => date?.toISOString() ?? null

export function toAgent({ createdAt: _c, updatedAt: _u, costUsd, ...row }: typeof agentTable.$inferSelect): Agent {
  return { ...row, costUsd: shownUsd(costUsd) }
}

export function toRun(row: RunRow): Run {
  const { id, projectId, conversationId, taskId, agentId, role, purpose, state, epoch, steps, model, error } = row
  return {
    ...{ id, projectId, conversationId, taskId, agentId, role, purpose, state, epoch, steps, model, error },
    costUsd: shownUsd(row.costUsd),
    queuedAt: row.queuedAt.toISOString(),
    startedAt: iso(row.startedAt),
    endedAt: iso(row.endedAt),
  }
}

const runColumns = {
  ...getTableColumns(runTable),
  steps: sql<number>`(select count(*)::int from ${stepTable} where run_id = ${runTable.id})`,
}

export async function findRun(db: Db, id: RunId): Promise<RunRow | null> {
  const [row] = await db.select(runColumns).from(runTable).where(eq(runTable.id, id))
  return row ?? null
}

/** Newest first. */
export async function listRuns(db: Db, projectId: ProjectId, taskId?: TaskId): Promise<RunRow[]> {
  const ofTask = taskId ? eq(runTable.taskId, taskId) : undefined
  return db
    .select(runColumns)
    .from(runTable)
    .where(and(eq(runTable.projectId, projectId), ofTask))
    .orderBy(desc(runTable.id))
    .limit(200)
}

const live: RunState[] = ['queued', 'running', 'waiting']

export async function listLiveRuns(
  db: Db,
  of: { taskId: TaskId } | { conversationId: ConversationId } | { projectId: ProjectId },
): Promise<RunRow[]> {
  const where =
    'taskId' in of
      ? eq(runTable.taskId, of.taskId)
      : 'projectId' in of
        ? eq(runTable.projectId, of.projectId)
        : eq(runTable.conversationId, of.conversationId)
  return db
    .select(runColumns)
    .from(runTable)
    .where(and(where, inArray(runTable.state, live)))
}

/**
 * The plan run that is at work in a conversation and not being stopped, its row locked: it cannot end before the
 * caller's transaction does, so it will hear what that transaction says.
 */
export async function lockLivePlanRun(tx: Db, conversationId: ConversationId): Promise<RunId | null> {
  const [row] = await tx
    .select({ id: runTable.id })
    .from(runTable)
    .where(
      and(
        eq(runTable.conversationId, conversationId),
        eq(runTable.purpose, 'plan'),
        inArray(runTable.state, live),
        isNull(runTable.cancelRequestedAt),
      ),
    )
    .limit(1)
    .for('update')
  return row?.id ?? null
}

export async function insertRun(
  tx: Db,
  run: {
    id: RunId
    projectId: ProjectId
    conversationId: ConversationId
    taskId: TaskId | null
    agentId: AgentId
    userId: UserId
    role: Role
    purpose: RunPurpose
  },
): Promise<Run> {
  const [row] = await tx
    .insert(runTable)
    .values({ ...run, state: 'queued' })
    .returning()
  return toRun({ ...row!, steps: 0 })
}

/** Ends a run that this epoch holds, or one that nobody has begun; null when somebody else has it. */
export async function endRun(
  tx: Db,
  { id, epoch }: { id: RunId; epoch: number },
  end: { state: 'done' | 'failed' | 'cancelled'; error: string | null },
): Promise<RunRow | null> {
  const changed = await tx
    .update(runTable)
    .set({ ...end, endedAt: new Date(), leaseUntil: null, reportedAt: end.state === 'done' ? new Date() : null })
    .where(and(eq(runTable.id, id), eq(runTable.epoch, epoch), inArray(runTable.state, live)))
    .returning({ id: runTable.id })
  return changed.length > 0 ? findRun(tx, id) : null
}

export async function requestCancel(tx: Db, id: RunId): Promise<void> {
  await tx
    .update(runTable)
    .set({ cancelRequestedAt: new Date() })
    .where(and(eq(runTable.id, id), inArray(runTable.state, live), isNull(runTable.cancelRequestedAt)))
}

/** One statement for both: it stands in the path of every model call. */
export async function addCost(tx: Db, runId: RunId, agentId: AgentId, costUsd: string): Promise<void> {
  await tx.execute(sql`
    with run as (update ${runTable} set cost_usd = cost_usd + ${costUsd}::numeric where id = ${runId})
    update ${agentTable} set cost_usd = cost_usd + ${costUsd}::numeric where id = ${agentId}`)
}

export async function keepOpening(
  tx: Db,
  id: RunId,
  change: { model: string; opening: NonNullable<RunRow['opening']> },
): Promise<void> {
  await tx.update(runTable).set(change).where(eq(runTable.id, id))
}

/** Ended without success, and the feature that ordered them was not told yet: a crash came between. */
export async function listUnreported(db: Db): Promise<RunRow[]> {
  return db
    .select(runColumns)
    .from(runTable)
    .where(and(inArray(runTable.state, ['failed', 'cancelled']), isNull(runTable.reportedAt)))
    .limit(50)
}

export async function markReported(db: Db, id: RunId): Promise<void> {
  await db.update(runTable).set({ reportedAt: new Date() }).where(eq(runTable.id, id))
}

/** Whether the task got another run for the same purpose after this one; then its end is history. */
export async function hasNewerRun(db: Db, { id, taskId, purpose }: RunRow): Promise<boolean> {
  if (!taskId) return false
  const [row] = await db
    .select({ id: runTable.id })
    .from(runTable)
    .where(and(eq(runTable.taskId, taskId), eq(runTable.purpose, purpose), sql`${runTable.id} > ${id}`))
    .limit(1)
  return row !== undefined
}

/** One start at a time in a project, so that two do not take the same seat. Held until the transaction ends. */
export async function lockSeats(tx: Db, projectId: ProjectId): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext('agents.seats'), hashtext(${projectId}))`)
}

export async function listSeats(db: Db, projectId: ProjectId, role?: Role): Promise<Agent[]> {
  const rows = await db
    .select()
    .from(agentTable)
    .where(and(eq(agentTable.projectId, projectId), role ? eq(agentTable.role, role) : undefined))
    .orderBy(asc(agentTable.id))
  return rows.map(toAgent)
}

export async function insertSeat(
  tx: Db,
  seat: { id: AgentId; projectId: ProjectId; role: Role; name: string },
): Promise<Agent> {
  const [row] = await tx.insert(agentTable).values(seat).returning()
  return toAgent(row!)
}

export async function findSeat(db: Db, id: AgentId): Promise<Agent | null> {
  const [row] = await db.select().from(agentTable).where(eq(agentTable.id, id))
  return row ? toAgent(row) : null
}

/** With `ifRun` only while the seat still belongs to that run. */
export async function changeSeat(
  tx: Db,
  id: AgentId,
  change: { state: AgentState; activity: string | null; taskId: TaskId | null; runId: RunId | null },
  ifRun?: RunId,
): Promise<Agent | null> {
  const [row] = await tx
    .update(agentTable)
    .set(change)
    .where(and(eq(agentTable.id, id), ifRun ? eq(agentTable.runId, ifRun) : undefined))
    .returning()
  return row ? toAgent(row) : null
}

/** Seats at work, counted by project. */
export async function countAtWork(db: Db, projectIds: ProjectId[]): Promise<Map<ProjectId, number>> {
  if (projectIds.length === 0) return new Map()
  const rows = await db
    .select({ projectId: agentTable.projectId, count: sql<number>`count(*)::int` })
    .from(agentTable)
    .where(and(inArray(agentTable.projectId, projectIds), isNotNull(agentTable.runId), ne(agentTable.state, 'idle')))
    .groupBy(agentTable.projectId)
  return new Map(rows.map(({ projectId, count }) => [projectId, count]))
}
