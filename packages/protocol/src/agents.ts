import { z } from 'zod'
import { AgentId, ConversationId, CostUsd, ProjectId, RunId, TaskId, Timestamp } from './ids.ts'
import { Role } from './roles.ts'

export const AgentState = z.enum(['idle', 'working', 'waiting', 'stuck', 'failed'])
export type AgentState = z.infer<typeof AgentState>

/** An agent row is a seat, such as "Engineer 2". */
export const Agent = z.object({
  id: AgentId,
  projectId: ProjectId,
  role: Role,
  name: z.string(),
  state: AgentState,
  /** What it does right now, in a few words; null when idle. */
  activity: z.string().nullable(),
  taskId: TaskId.nullable(),
  runId: RunId.nullable(),
  costUsd: CostUsd,
})
export type Agent = z.infer<typeof Agent>

export const RunPurpose = z.enum(['plan', 'work', 'review'])
export type RunPurpose = z.infer<typeof RunPurpose>

export const RunState = z.enum(['queued', 'running', 'waiting', 'done', 'failed', 'cancelled'])
export type RunState = z.infer<typeof RunState>

export const Run = z.object({
  id: RunId,
  projectId: ProjectId,
  conversationId: ConversationId,
  taskId: TaskId.nullable(),
  agentId: AgentId,
  role: Role,
  purpose: RunPurpose,
  state: RunState,
  epoch: z.int(),
  steps: z.int(),
  model: z.string().nullable(),
  costUsd: CostUsd,
  error: z.string().nullable(),
  queuedAt: Timestamp,
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
})
export type Run = z.infer<typeof Run>

export const StepState = z.enum(['begun', 'done', 'failed', 'interrupted'])
export type StepState = z.infer<typeof StepState>

/** A tool call as the log and the chat show it. `title` is one line; `detail` the head and tail of the result. */
export const ToolStep = z.object({
  runId: RunId,
  seq: z.int(),
  tool: z.string(),
  title: z.string(),
  state: StepState,
  detail: z.string().nullable(),
  figure: z.string().nullable(),
  durationMs: z.number().nullable(),
})
export type ToolStep = z.infer<typeof ToolStep>

export const RunStep = z.object({
  seq: z.int(),
  kind: z.enum(['model', 'tool']),
  name: z.string(),
  state: StepState,
  input: z.unknown(),
  output: z.unknown(),
  startedAt: Timestamp,
  durationMs: z.number().nullable(),
})
export type RunStep = z.infer<typeof RunStep>
export const RunDetail = z.object({ run: Run, steps: z.array(RunStep) })
export type RunDetail = z.infer<typeof RunDetail>
