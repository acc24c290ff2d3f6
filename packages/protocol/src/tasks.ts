import { z } from 'zod'
import { ConversationId, PlanId, ProjectId, RunId, Sha, TaskId, Timestamp, UserId } from './ids.ts'
import { Role } from './roles.ts'

/**
 * The contracts of a task. What the manager's `plan` tool takes and what a person approves are the same words, so
 * that nothing is translated between the wish, the document and the proof.
 */

/** A check that can be run. In the thread only commands; `http`, `page`, `sql` and `person` join later. */
export const CommandCheck = z.strictObject({
  kind: z.literal('command'),
  argv: z.array(z.string().min(1).max(2_000)).min(1).max(64),
  timeoutMs: z.int().min(1_000).max(600_000).default(120_000),
})
export const Check = z.discriminatedUnion('kind', [CommandCheck])
export type Check = z.infer<typeof Check>

export const Criterion = z.strictObject({ text: z.string().trim().min(3).max(500), check: Check })
export type Criterion = z.infer<typeof Criterion>

/** With `paths` the constraint is enforced: a change that touches a matching path fails the gate. */
export const Constraint = z.strictObject({
  text: z.string().trim().min(3).max(500),
  paths: z.array(z.string().min(1).max(300)).max(50).optional(),
})
export type Constraint = z.infer<typeof Constraint>

export const Box = z.strictObject({
  text: z.string().trim().min(3).max(500),
  files: z.array(z.string().min(1).max(300)).max(50).default([]),
})
export type Box = z.infer<typeof Box>

/** A lower-case word or words with dashes, unique in the plan; becomes part of the branch name. */
export const TaskKey = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'lower-case letters, digits and dashes')

/**
 * Names a criterion of a merged task for good: number of the plan, key of the task, number of the criterion from 1.
 * Such a criterion is *standing*: it holds for later work on the same files until a task that replaces it merges.
 */
export const CriterionName = z
  .string()
  .regex(/^\d{1,6}\/[a-z0-9-]{1,40}\/\d{1,2}$/, 'plan/task/criterion, such as 1/banner/2')
export type CriterionName = z.infer<typeof CriterionName>

export const PlanTask = z.strictObject({
  key: TaskKey,
  title: z.string().trim().min(3).max(120),
  goal: z.string().trim().min(10).max(2_000),
  role: Role.exclude(['dev_manager']),
  form: z.enum(['short', 'full']).default('short'),
  dependsOn: z.array(TaskKey).max(20).default([]),
  scope: z.array(z.string().min(1).max(300)).max(50).default([]),
  criteria: z.array(Criterion).min(1).max(20),
  constraints: z.array(Constraint).max(20).default([]),
  boxes: z.array(Box).min(1).max(6),
  /** Standing criteria that this task makes untrue on purpose; they hold until it merges. */
  replaces: z.array(CriterionName).max(50).default([]),
})
export type PlanTask = z.infer<typeof PlanTask>

export const PlanInput = z.strictObject({
  summary: z.string().trim().min(3).max(2_000),
  assumptions: z.array(z.string().trim().min(3).max(500)).max(20).default([]),
  tasks: z.array(PlanTask).min(1).max(12),
})
export type PlanInput = z.infer<typeof PlanInput>

export const DocumentState = z.enum(['draft', 'in_review', 'changes_requested', 'approved'])
export type DocumentState = z.infer<typeof DocumentState>

export const TaskState = z.enum([
  'waiting',
  'working',
  'checking',
  'reviewing',
  'merging',
  'merged',
  'failed',
  'needs_you',
  'cancelled',
])
export type TaskState = z.infer<typeof TaskState>

export const Claim = z.strictObject({
  text: z.string().trim().min(3).max(500),
  evidence: z.array(z.int().min(1)).max(20),
})
export type Claim = z.infer<typeof Claim>

export const FinishInput = z.strictObject({
  summary: z.string().trim().min(3).max(4_000),
  claims: z.array(Claim).min(1).max(20),
})
export type FinishInput = z.infer<typeof FinishInput>

export const VerdictComment = z.strictObject({
  path: z.string().min(1).max(500),
  line: z.int().min(1),
  body: z.string().trim().min(1).max(4_000),
  severity: z.enum(['note', 'minor', 'major', 'blocker']),
})
export type VerdictComment = z.infer<typeof VerdictComment>

export const VerdictInput = z.strictObject({
  verdict: z.enum(['approve', 'request_changes']),
  summary: z.string().trim().min(3).max(4_000),
  comments: z.array(VerdictComment).max(50).default([]),
})
export type VerdictInput = z.infer<typeof VerdictInput>

/** A verdict as stored: bound to exactly the commit it was started from and the branch's tree. */
export const Review = z.object({
  id: z.uuid(),
  taskId: TaskId,
  runId: RunId,
  role: Role,
  base: Sha,
  tree: Sha,
  verdict: z.enum(['approve', 'request_changes']),
  summary: z.string(),
  comments: z.array(VerdictComment),
  at: Timestamp,
})
export type Review = z.infer<typeof Review>

/** One command of one check run, in a fresh container on `tree`. */
export const CheckResult = z.object({
  criterion: z.string(),
  argv: z.array(z.string()),
  passed: z.boolean(),
  exitCode: z.int().nullable(),
  durationMs: z.number(),
  output: z.string(),
  /** Set when it is not the task's own criterion but a standing one. */
  standing: CriterionName.nullable(),
})
export type CheckResult = z.infer<typeof CheckResult>

/** `stage`: on the branch before review, or on the tree that main will become. */
export const CheckRun = z.object({
  id: z.uuid(),
  taskId: TaskId,
  stage: z.enum(['branch', 'merge']),
  tree: Sha,
  passed: z.boolean(),
  results: z.array(CheckResult),
  error: z.string().nullable(),
  startedAt: Timestamp,
  endedAt: Timestamp,
})
export type CheckRun = z.infer<typeof CheckRun>

/** The standing criteria that fail when nothing else does; empty when the task's own fail too, or none does. */
export function brokenStanding({ results, error }: Pick<CheckRun, 'results' | 'error'>): CriterionName[] {
  const failed = results.filter(({ passed }) => !passed)
  if (error !== null || failed.some(({ standing }) => standing === null)) return []
  return failed.map(({ standing }) => standing!)
}

export const TickedBox = Box.extend({ done: z.boolean(), commit: Sha.nullable() })
export type TickedBox = z.infer<typeof TickedBox>

export const Task = z.object({
  id: TaskId,
  projectId: ProjectId,
  planId: PlanId,
  conversationId: ConversationId,
  key: TaskKey,
  title: z.string(),
  goal: z.string(),
  role: Role,
  form: z.enum(['short', 'full']),
  state: TaskState,
  /** Why it failed or needs you, in plain words. */
  reason: z.string().nullable(),
  dependsOn: z.array(TaskId),
  scope: z.array(z.string()),
  criteria: z.array(Criterion),
  constraints: z.array(Constraint),
  boxes: z.array(TickedBox),
  replaces: z.array(CriterionName),
  branch: z.string().nullable(),
  base: Sha.nullable(),
  head: Sha.nullable(),
  tree: Sha.nullable(),
  mergedAs: Sha.nullable(),
  claims: z.array(Claim),
  summary: z.string().nullable(),
  /** How often the branch went back to its author. */
  returns: z.int(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
})
export type Task = z.infer<typeof Task>

export const TaskDetail = z.object({
  task: Task,
  checkRuns: z.array(CheckRun),
  reviews: z.array(Review),
  documentMarkdown: z.string(),
})
export type TaskDetail = z.infer<typeof TaskDetail>

export const Plan = z.object({
  id: PlanId,
  projectId: ProjectId,
  conversationId: ConversationId,
  runId: RunId,
  number: z.int(),
  summary: z.string(),
  assumptions: z.array(z.string()),
  state: DocumentState,
  version: z.int(),
  tasks: z.array(Task),
  approvedBy: UserId.nullable(),
  approvedAt: Timestamp.nullable(),
  createdAt: Timestamp,
})
export type Plan = z.infer<typeof Plan>

/** A person says yes to exactly the version they read; another version is `stale`. */
export const ApprovePlan = z.strictObject({ version: z.int32() })
export const RequestPlanChanges = z.strictObject({ version: z.int32(), comment: z.string().trim().min(1).max(4_000) })
/** What a person says when they send a task that waits for them back to its author. */
export const RequestTaskChanges = z.strictObject({ comment: z.string().trim().min(1).max(4_000) })
/** A person lets standing criteria go for the sake of a task. */
export const ReplaceCriteria = z.strictObject({ criteria: z.array(CriterionName).min(1).max(50) })
export const CancelTask = z.strictObject({ reason: z.string().trim().max(500).default('') })
