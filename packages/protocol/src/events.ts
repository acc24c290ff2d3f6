import { z } from 'zod'
import { EventActor } from './actor.ts'
import { Agent, Run, ToolStep } from './agents.ts'
import { Message } from './conversations.ts'
import { CostUsd, ProjectId, RunId, SessionId, Sha, TaskId, Timestamp, UserId } from './ids.ts'
import { TokenUsage } from './llm.ts'
import { Preview } from './preview.ts'
import { Member, Project, Provisioning } from './projects.ts'
import { Branch, Commit } from './repository.ts'
import { Role } from './roles.ts'
import { AllowedHost, Sandbox, SandboxDisk } from './sandbox.ts'
import { CheckRun, Plan, Review, Task } from './tasks.ts'

/**
 * The log. Everything that happens is one of these facts, `<noun>.<past verb>`, written in the transaction of the
 * state it describes. `data` carries the whole new state of its noun, so that a reader needs no second request.
 */
const fact = <Type extends string, Data extends z.ZodType>(type: Type, data: Data) =>
  z.object({ type: z.literal(type), data })

const ofTask = z.object({ task: Task })

export const Fact = z.discriminatedUnion('type', [
  // topic user:<id>
  fact('project.listed', z.object({ projectId: ProjectId })),
  fact('project.unlisted', z.object({ projectId: ProjectId })),
  fact('session.revoked', z.object({ sessionId: SessionId })),
  // topic project:<id>
  fact('project.created', z.object({ project: Project })),
  fact('project.updated', z.object({ project: Project })),
  fact('project.provisioned', z.object({ project: Project })),
  fact('project.provision.advanced', z.object({ provisioning: Provisioning })),
  fact('project.deleted', z.object({ projectId: ProjectId })),
  fact('member.added', z.object({ member: Member })),
  fact('member.changed', z.object({ member: Member })),
  fact('member.removed', z.object({ userId: UserId })),
  fact('sandbox.changed', z.object({ container: Sandbox })),
  fact('disk.crossed', z.object({ disk: SandboxDisk })),
  // `allow`: the `host:port` that an owner could allow; null where allowing would not help.
  fact('egress.refused', z.object({ target: z.string(), reason: z.string(), allow: z.string().nullable() })),
  fact('egress.allowed', z.object({ host: AllowedHost })),
  fact('egress.withdrawn', z.object({ target: z.string() })),
  fact('branch.created', z.object({ branch: Branch })),
  fact('branch.pushed', z.object({ name: z.string(), head: Sha, commits: z.array(Commit), role: Role.nullable() })),
  fact('main.moved', z.object({ from: Sha, to: Sha, branch: z.string().nullable(), taskId: TaskId.nullable() })),
  fact('preview.changed', z.object({ preview: Preview })),
  fact('message.sent', z.object({ message: Message })),
  fact('usage.recorded', z.object({ runId: RunId, model: z.string(), usage: TokenUsage, costUsd: CostUsd })),
  fact('plan.submitted', z.object({ plan: Plan })),
  fact('plan.approved', z.object({ plan: Plan })),
  fact('plan.returned', z.object({ plan: Plan, comment: z.string() })),
  fact('task.started', ofTask),
  fact('task.ticked', ofTask),
  fact('task.finished', ofTask),
  fact('task.checked', ofTask.extend({ checkRun: CheckRun })),
  fact('task.reviewed', ofTask.extend({ review: Review })),
  /** A person lets standing criteria go: the task replaces them from now on. */
  fact('task.amended', ofTask),
  fact('task.returned', ofTask.extend({ reason: z.string() })),
  fact('task.queued', ofTask),
  fact('task.merged', ofTask),
  fact('task.failed', ofTask.extend({ reason: z.string() })),
  // It waits for the person (`needs_you`).
  fact('task.stopped', ofTask.extend({ reason: z.string() })),
  // A waiting task learned what keeps it from beginning, or (reason null) that nothing does any more.
  fact('task.held', ofTask),
  fact('task.cancelled', ofTask),
  fact('agent.seated', z.object({ agent: Agent })),
  fact('agent.changed', z.object({ agent: Agent })),
  fact('agent.run.queued', z.object({ run: Run })),
  fact('agent.run.started', z.object({ run: Run })),
  fact('agent.run.finished', z.object({ run: Run })),
  fact('agent.step.begun', z.object({ step: ToolStep, role: Role, taskId: TaskId.nullable() })),
  fact('agent.step.finished', z.object({ step: ToolStep, role: Role, taskId: TaskId.nullable() })),
])
export type Fact = z.infer<typeof Fact>
export type FactType = Fact['type']

export const Topic = z.string().regex(/^(user|project):[0-9a-f-]{36}$/)
export type Topic = `user:${string}` | `project:${string}`

export const Event = z.intersection(
  z.object({ topic: z.string(), seq: z.int(), at: Timestamp, actor: EventActor }),
  Fact,
)
export type Event = z.infer<typeof Event>

export const EventQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(2_000).default(1_000),
})
/** `head` is the newest seq of the topic. */
export const EventPage = z.object({ items: z.array(Event), head: z.int() })
export type EventPage = z.infer<typeof EventPage>
