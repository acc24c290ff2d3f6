import type { ConversationId, PlanId, ProjectId, RunId, Sha, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Check, CheckRun, Plan, PlanInput, Review, Task, TaskState } from '@guildhall/protocol/tasks.ts'
import { and, asc, desc, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { listFacts, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import { checkRunTable, planTable, reviewTable, taskTable } from './table.ts'

/** No worker holds it. */
export const leaseIsFree = or(isNull(taskTable.leaseUntil), lt(taskTable.leaseUntil, sql`now()`))!

/** A worker may take it up: nobody else has, and its project is neither in the archive nor on its way out. */
export const mayBeTaken = and(
  leaseIsFree,
  sql`exists (select 1 from projects where projects.id = ${taskTable.projectId} and projects.status = 'active')`,
)!

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
  replaces: row.replaces,
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

/** One plan of a project is stored at a time: numbers count up, and a run that hands in twice at once plans once. */
export const lockPlans = (db: Db, projectId: ProjectId) =>
  db.execute(sql`select pg_advisory_xact_lock(hashtext(${`plans:${projectId}`}))`)

/** Stores a plan and its tasks, keys turned into ids; call it with `lockPlans` held. */
export async function insertPlan(
  db: Db,
  run: { id: RunId; projectId: ProjectId; conversationId: Plan['conversationId']; userId: UserId },
  input: PlanInput,
): Promise<Plan> {
  const { projectId, conversationId } = run
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
        replaces: task.replaces,
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

export async function listTasksOfPlan(db: Db, planId: PlanId): Promise<Task[]> {
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

/** From now on the plan's tasks use the rights and the money of whoever said yes. */
export async function setPlanPerson(db: Db, planId: PlanId, userId: UserId): Promise<void> {
  await db.update(taskTable).set({ createdFor: userId }).where(eq(taskTable.planId, planId))
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

/**
 * Cancels a task unless a worker is merging it: from the moment a merge commit is noted main may have moved to it, and
 * then the task is merged whatever anyone wishes. Null when it cannot be cancelled.
 */
export async function cancelTask(db: Db, taskId: TaskId, reason: string | null): Promise<Task | null> {
  const [row] = await db
    .update(taskTable)
    .set({ state: 'cancelled', reason, leaseUntil: null })
    .where(and(eq(taskTable.id, taskId), or(inArray(taskTable.state, cancellable), isQueuedOnly)))
    .returning()
  return row ? toTask(row) : null
}
/** In the merge queue, and no worker at it. */
const isQueuedOnly = and(eq(taskTable.state, 'merging'), isNull(taskTable.mergedAs), leaseIsFree)

/** Tasks of a conversation that go on by themselves, without a run: in their checks or in the merge queue. Locked. */
export async function lockAtGates(db: Db, conversationId: ConversationId): Promise<Task[]> {
  const rows = await db
    .select()
    .from(taskTable)
    .where(and(eq(taskTable.conversationId, conversationId), or(eq(taskTable.state, 'checking'), isQueuedOnly)))
    .orderBy(asc(taskTable.id))
    .for('update')
  return rows.map(toTask)
}
const cancellable: TaskState[] = ['waiting', 'working', 'checking', 'reviewing', 'failed', 'needs_you']

/** Tasks of approved plans whose dependencies are merged and that no worker is starting, oldest first. */
export async function listSchedulable(db: Db, projectId?: ProjectId): Promise<{ id: TaskId; planNumber: number }[]> {
  return db
    .select({ id: taskTable.id, planNumber: planTable.number })
    .from(taskTable)
    .innerJoin(planTable, eq(planTable.id, taskTable.planId))
    .where(
      and(
        eq(taskTable.state, 'waiting'),
        eq(planTable.state, 'approved'),
        projectId ? eq(taskTable.projectId, projectId) : undefined,
        mayBeTaken,
        sql`not exists (select 1 from jsonb_array_elements_text(${taskTable.dependsOn}) as needed(id)
              join tasks earlier on earlier.id = needed.id::uuid where earlier.state <> 'merged')`,
      ),
    )
    .orderBy(asc(taskTable.createdAt), asc(taskTable.id))
    .limit(50)
}

export async function findPlanNumber(db: Db, planId: PlanId): Promise<number> {
  const [row] = await db.select({ number: planTable.number }).from(planTable).where(eq(planTable.id, planId))
  return row!.number
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

/** The proof for a tree, if there is one: a check run of this task that passed on exactly that tree, with all `checks` in it. */
export async function findProof(db: Db, taskId: TaskId, tree: Sha, checks: Check[]): Promise<CheckRun | null> {
  const rows = await db
    .select()
    .from(checkRunTable)
    .where(and(eq(checkRunTable.taskId, taskId), eq(checkRunTable.tree, tree), eq(checkRunTable.passed, true)))
    .orderBy(desc(checkRunTable.startedAt))
  const proof = rows.find(({ results }) => {
    const ran = new Set(results.map(({ argv }) => JSON.stringify(argv)))
    return checks.every(({ argv }) => ran.has(JSON.stringify(argv)))
  })
  return proof ? toCheckRun(proof) : null
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

/** The approval of exactly the change as it stands: its base commit and its tree. None while the author works. */
export async function findApproval(db: Db, { id, base, tree }: Task): Promise<Review | null> {
  if (!base || !tree) return null
  const isThisChange = and(eq(reviewTable.taskId, id), eq(reviewTable.base, base), eq(reviewTable.tree, tree))
  const [row] = await db
    .select()
    .from(reviewTable)
    .where(isThisChange)
    .orderBy(desc(reviewTable.at), desc(reviewTable.id))
    .limit(1)
  return row?.verdict === 'approve' ? toReview(row) : null
}

export async function findReviewOfRun(db: Db, runId: RunId): Promise<Review | null> {
  const [row] = await db.select().from(reviewTable).where(eq(reviewTable.runId, runId))
  return row ? toReview(row) : null
}

/** The newest fifty merged tasks of a project with the number of their plan, newest first. */
export async function listMerged(db: Db, projectId: ProjectId): Promise<{ task: Task; planNumber: number }[]> {
  const rows = await db
    .select({ task: taskTable, planNumber: planTable.number })
    .from(taskTable)
    .innerJoin(planTable, eq(planTable.id, taskTable.planId))
    .where(and(eq(taskTable.projectId, projectId), eq(taskTable.state, 'merged')))
    .orderBy(desc(taskTable.updatedAt), desc(taskTable.id))
    .limit(50)
  return rows.map(({ task, planNumber }) => ({ task: toTask(task), planNumber }))
}

/** Finished tool steps of a task's author, by their event number: what a claim may cite. A reviewer's are not the author's. */
export async function listEvidence(
  db: Db,
  { id: taskId, projectId, role }: Task,
): Promise<{ seq: number; tool: string; state: string }[]> {
  const facts = await listFacts(db, projectTopic(projectId), 'agent.step.finished', { taskId, role })
  return facts.map(({ seq, data }) => ({ seq, tool: data.step.tool, state: data.step.state }))
}

/** Why the branch last came back to its author; null when it never did. */
export async function findReturnReason(db: Db, { id, projectId }: Task): Promise<string | null> {
  const topic = projectTopic(projectId)
  const returned = (await listFacts(db, topic, 'task.returned', { task: { id } })).at(-1)
  const failed = (await listFacts(db, topic, 'task.failed', { task: { id } })).at(-1)
  if (!returned || !failed) return (returned ?? failed)?.data.reason ?? null
  return (returned.seq > failed.seq ? returned : failed).data.reason
}
