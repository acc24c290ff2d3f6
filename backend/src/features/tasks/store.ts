import type { PlanId, ProjectId, RunId, Sha, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { CheckRun, Plan, PlanInput, Review, Task, TaskState } from '@guildhall/protocol/tasks.ts'
import { and, asc, desc, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { listFacts, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import { checkRunTable, planTable, reviewTable, taskTable } from './table.ts'

type TaskRow = typeof taskTable.$inferSelect
type PlanRow = typeof planTable.$inferSelect

export const toTask = ({ createdAt, updatedAt, ...row }: TaskRow): Task => ({
  id: row.id,
  projectId: row.projectId,
  planId: row.planId,
  conversationId: row.conversationId,
  key: row.key,
  title: row.title,
  goal: row.goal,
  role: row.role,
  form: row.form,
  state: row.state,
  reason: row.reason,
  dependsOn: row.dependsOn,
  scope: row.scope,
  criteria: row.criteria,
  constraints: row.constraints,
  boxes: row.boxes,
  branch: row.branch,
  base: row.base,
  head: row.head,
  tree: row.tree,
  mergedAs: row.mergedAs,
  claims: row.claims,
  summary: row.summary,
  returns: row.returns,
  createdAt: createdAt.toISOString(),
  updatedAt: updatedAt.toISOString(),
})

const toPlan = (row: PlanRow, tasks: Task[]): Plan => ({
  id: row.id,
  projectId: row.projectId,
  conversationId: row.conversationId,
  runId: row.runId,
  number: row.number,
  summary: row.summary,
  assumptions: row.assumptions,
  state: row.state,
  version: row.version,
  tasks,
  approvedBy: row.approvedBy,
  approvedAt: row.approvedAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
})

/** Stores a plan and its tasks, keys turned into ids. Numbers count per project, under a lock of the project. */
export async function insertPlan(
  db: Db,
  run: { id: RunId; projectId: ProjectId; conversationId: Plan['conversationId']; userId: UserId },
  input: PlanInput,
): Promise<Plan> {
  const { projectId, conversationId } = run
  await db.execute(sql`select pg_advisory_xact_lock(hashtext(${`plans:${projectId}`}))`)
  const [last] = await db
    .select({ number: planTable.number })
    .from(planTable)
    .where(eq(planTable.projectId, projectId))
    .orderBy(desc(planTable.number))
    .limit(1)
  const [plan] = await db
    .insert(planTable)
    .values({
      projectId,
      conversationId,
      runId: run.id,
      number: (last?.number ?? 0) + 1,
      summary: input.summary,
      assumptions: input.assumptions,
      state: 'in_review',
      createdFor: run.userId,
    })
    .returning()
  const ids = new Map(input.tasks.map(({ key }) => [key, newId<TaskId>()]))
  const rows = await db
    .insert(taskTable)
    .values(
      input.tasks.map((task) => ({
        id: ids.get(task.key)!,
        projectId,
        planId: plan!.id,
        conversationId,
        key: task.key,
        title: task.title,
        goal: task.goal,
        role: task.role,
        form: task.form,
        state: 'waiting' as const,
        dependsOn: task.dependsOn.map((key) => ids.get(key)!),
        scope: task.scope,
        criteria: task.criteria,
        constraints: task.constraints,
        boxes: task.boxes.map((box) => ({ ...box, done: false, commit: null })),
        createdFor: run.userId,
      })),
    )
    .returning()
  return toPlan(plan!, rows.map(toTask))
}

export async function findPlan(db: Db, planId: PlanId, lock?: 'update'): Promise<Plan | null> {
  const query = db.select().from(planTable).where(eq(planTable.id, planId))
  const [row] = lock ? await query.for('update') : await query
  if (!row) return null
  return toPlan(row, await listTasksOfPlan(db, planId))
}

export async function findPlanOfRun(db: Db, runId: RunId): Promise<Plan | null> {
  const [row] = await db.select({ id: planTable.id }).from(planTable).where(eq(planTable.runId, runId))
  return row ? findPlan(db, row.id) : null
}

export async function listPlans(db: Db, projectId: ProjectId): Promise<Plan[]> {
  const rows = await db
    .select()
    .from(planTable)
    .where(eq(planTable.projectId, projectId))
    .orderBy(desc(planTable.number))
    .limit(100)
  const tasks = rows.length
    ? await db
        .select()
        .from(taskTable)
        .where(
          inArray(
            taskTable.planId,
            rows.map(({ id }) => id),
          ),
        )
        .orderBy(asc(taskTable.createdAt), asc(taskTable.id))
    : []
  return rows.map((row) => toPlan(row, tasks.filter(({ planId }) => planId === row.id).map(toTask)))
}

async function listTasksOfPlan(db: Db, planId: PlanId): Promise<Task[]> {
  const rows = await db
    .select()
    .from(taskTable)
    .where(eq(taskTable.planId, planId))
    .orderBy(asc(taskTable.createdAt), asc(taskTable.id))
  return rows.map(toTask)
}

export async function updatePlan(db: Db, planId: PlanId, change: Partial<PlanRow>): Promise<void> {
  await db.update(planTable).set(change).where(eq(planTable.id, planId))
}

export async function listTasks(db: Db, projectId: ProjectId): Promise<Task[]> {
  const rows = await db
    .select()
    .from(taskTable)
    .where(eq(taskTable.projectId, projectId))
    .orderBy(desc(taskTable.createdAt), asc(taskTable.id))
    .limit(500)
  return rows.map(toTask)
}

export async function findTask(db: Db, taskId: TaskId, lock?: 'update'): Promise<Task | null> {
  const query = db.select().from(taskTable).where(eq(taskTable.id, taskId))
  const [row] = lock ? await query.for('update') : await query
  return row ? toTask(row) : null
}

/** Whose rights and money a task uses. */
export async function findTaskPerson(db: Db, taskId: TaskId): Promise<UserId> {
  const [row] = await db.select({ userId: taskTable.createdFor }).from(taskTable).where(eq(taskTable.id, taskId))
  return row!.userId
}

/**
 * Changes a task only while it is in one of the `from` states and, for a worker, still under that worker's epoch.
 * Null when it is not: somebody else was quicker, and the caller has nothing to do.
 */
export async function moveTask(
  db: Db,
  taskId: TaskId,
  guard: { from: TaskState[]; epoch?: number },
  change: Partial<TaskRow>,
): Promise<Task | null> {
  const [row] = await db
    .update(taskTable)
    .set(change)
    .where(
      and(
        eq(taskTable.id, taskId),
        inArray(taskTable.state, guard.from),
        guard.epoch === undefined ? undefined : eq(taskTable.epoch, guard.epoch),
      ),
    )
    .returning()
  return row ? toTask(row) : null
}

/** Tasks of approved plans that wait, oldest first, for the scheduler; it decides about their dependencies. */
export async function listSchedulable(db: Db, projectId?: ProjectId): Promise<{ task: Task; planNumber: number }[]> {
  const rows = await db
    .select({ task: taskTable, planNumber: planTable.number })
    .from(taskTable)
    .innerJoin(planTable, eq(planTable.id, taskTable.planId))
    .where(
      and(
        eq(taskTable.state, 'waiting'),
        eq(planTable.state, 'approved'),
        projectId ? eq(taskTable.projectId, projectId) : undefined,
        sql`not exists (select 1 from jsonb_array_elements_text(${taskTable.dependsOn}) as needed(id)
              join tasks earlier on earlier.id = needed.id::uuid where earlier.state <> 'merged')`,
      ),
    )
    .orderBy(asc(taskTable.createdAt), asc(taskTable.id))
    .limit(50)
  return rows.map(({ task, planNumber }) => ({ task: toTask(task), planNumber }))
}

export async function findPlanNumber(db: Db, planId: PlanId): Promise<number> {
  const [row] = await db.select({ number: planTable.number }).from(planTable).where(eq(planTable.id, planId))
  return row!.number
}

const leaseIsFree = or(isNull(taskTable.leaseUntil), lt(taskTable.leaseUntil, sql`now()`))

/** Takes the lease of a task that is to be checked; null when it is not, or another worker has it. */
export async function claimCheck(db: Db, taskId: TaskId, leaseMs: number) {
  return claim(db, and(eq(taskTable.id, taskId), eq(taskTable.state, 'checking'), leaseIsFree)!, leaseMs)
}

/**
 * Takes the lease of the first task in a project's merge queue. The queue's rows are locked first, so that two workers
 * can never merge in one project at once; null while another holds the lease or the queue is empty.
 */
export async function claimMerge(db: Db, projectId: ProjectId, leaseMs: number) {
  const queue = await db
    .select({ id: taskTable.id, isFree: sql<boolean>`coalesce(${taskTable.leaseUntil} < now(), true)` })
    .from(taskTable)
    .where(and(eq(taskTable.projectId, projectId), eq(taskTable.state, 'merging')))
    .orderBy(asc(taskTable.queuedAt), asc(taskTable.id))
    .for('update')
  if (queue.length === 0 || queue.some(({ isFree }) => !isFree)) return null
  return claim(db, eq(taskTable.id, queue[0]!.id), leaseMs)
}

async function claim(db: Db, where: ReturnType<typeof eq>, leaseMs: number) {
  const [row] = await db
    .update(taskTable)
    .set({ epoch: sql`${taskTable.epoch} + 1`, leaseUntil: leaseFor(leaseMs) })
    .where(where)
    .returning()
  return row ? { task: toTask(row), epoch: row.epoch, userId: row.createdFor } : null
}

const leaseFor = (leaseMs: number) => sql`now() + ${leaseMs} * interval '1 millisecond'`

/** False when the lease was taken over. */
export async function renewLease(db: Db, taskId: TaskId, epoch: number, leaseMs: number): Promise<boolean> {
  const rows = await db
    .update(taskTable)
    .set({ leaseUntil: leaseFor(leaseMs), updatedAt: sql`${taskTable.updatedAt}` })
    .where(and(eq(taskTable.id, taskId), eq(taskTable.epoch, epoch)))
    .returning({ id: taskTable.id })
  return rows.length > 0
}

/** Tasks that need a worker and have none. */
export async function listUnattended(
  db: Db,
): Promise<{ id: TaskId; projectId: ProjectId; state: TaskState; epoch: number }[]> {
  return db
    .select({ id: taskTable.id, projectId: taskTable.projectId, state: taskTable.state, epoch: taskTable.epoch })
    .from(taskTable)
    .where(and(inArray(taskTable.state, ['checking', 'merging']), leaseIsFree))
    .orderBy(asc(taskTable.queuedAt), asc(taskTable.id))
    .limit(200)
}

export async function insertCheckRun(db: Db, projectId: ProjectId, run: Omit<CheckRun, 'id'>): Promise<CheckRun> {
  const [row] = await db
    .insert(checkRunTable)
    .values({ ...run, projectId, startedAt: new Date(run.startedAt), endedAt: new Date(run.endedAt) })
    .returning()
  return toCheckRun(row!)
}

const toCheckRun = ({ projectId: _, ...row }: typeof checkRunTable.$inferSelect): CheckRun => ({
  ...row,
  id: row.id as string,
  startedAt: row.startedAt.toISOString(),
  endedAt: row.endedAt.toISOString(),
})

export async function listCheckRuns(db: Db, taskId: TaskId): Promise<CheckRun[]> {
  const rows = await db
    .select()
    .from(checkRunTable)
    .where(eq(checkRunTable.taskId, taskId))
    .orderBy(desc(checkRunTable.startedAt))
    .limit(20)
  return rows.map(toCheckRun)
}

/** The proof for a tree, if there is one: a check run of this task that passed on exactly that tree. */
export async function findProof(db: Db, taskId: TaskId, tree: Sha): Promise<CheckRun | null> {
  const [row] = await db
    .select()
    .from(checkRunTable)
    .where(and(eq(checkRunTable.taskId, taskId), eq(checkRunTable.tree, tree), eq(checkRunTable.passed, true)))
    .limit(1)
  return row ? toCheckRun(row) : null
}

const toReview = ({ projectId: _, at, ...row }: typeof reviewTable.$inferSelect): Review => ({
  ...row,
  id: row.id as string,
  at: at.toISOString(),
})

export async function insertReview(
  db: Db,
  projectId: ProjectId,
  review: Omit<Review, 'id' | 'at'>,
): Promise<Review | null> {
  const [row] = await db
    .insert(reviewTable)
    .values({ ...review, projectId })
    .onConflictDoNothing({ target: reviewTable.runId })
    .returning()
  return row ? toReview(row) : null
}

export async function listReviews(db: Db, taskId: TaskId): Promise<Review[]> {
  const rows = await db
    .select()
    .from(reviewTable)
    .where(eq(reviewTable.taskId, taskId))
    .orderBy(desc(reviewTable.at))
    .limit(20)
  return rows.map(toReview)
}

export async function findReviewOfRun(db: Db, runId: RunId): Promise<Review | null> {
  const [row] = await db.select().from(reviewTable).where(eq(reviewTable.runId, runId))
  return row ? toReview(row) : null
}

/** Merged tasks of a project, newest first, for re-running the checks of those that touch the same files. */
export async function listMerged(db: Db, projectId: ProjectId): Promise<Task[]> {
  const rows = await db
    .select()
    .from(taskTable)
    .where(and(eq(taskTable.projectId, projectId), eq(taskTable.state, 'merged')))
    .orderBy(desc(taskTable.updatedAt))
    .limit(50)
  return rows.map(toTask)
}

/** Finished tool steps of a task's runs, by their event number: what a claim may cite. */
export async function listEvidence(
  db: Db,
  projectId: ProjectId,
  taskId: TaskId,
): Promise<{ seq: number; tool: string; state: string }[]> {
  const facts = await listFacts(db, projectTopic(projectId), 'agent.step.finished', { taskId })
  return facts.map(({ seq, data }) => ({ seq, tool: data.step.tool, state: data.step.state }))
}
