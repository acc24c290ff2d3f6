import type { Actor } from '@guildhall/protocol/actor.ts'
import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import { type ToolArgument, ToolArguments, type ToolName } from '@guildhall/protocol/crew.ts'
import type { ConversationId, ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import { z } from 'zod'
import type { RepositoryService } from '../../repository/service.ts'
import type { StepRef } from '../../sandbox/service.ts'
import type { RunSession } from '../session.ts'
import type { TaskService } from '../../tasks/service.ts'
import type { RoleFile } from '../roles/role.ts'

/** What came of a tool call. `text` is written for the model; a failure is a text it can act on, never an exception. */
export interface ToolOutcome {
  state: 'done' | 'failed' | 'interrupted'
  text: string
  /** A few characters for the tool line, such as `+41 −3` or `exit 0 · 3.1 s`. */
  figure?: string
  /** The file as the model now knows it; an edit of anything else is refused. */
  seen?: { path: string; hash: string }
  /** The run's work is accepted: no further call is made. */
  endsRun?: boolean
}

export const done = (text: string, rest: Omit<Partial<ToolOutcome>, 'text' | 'state'> = {}): ToolOutcome => ({
  state: 'done',
  text,
  ...rest,
})
/** Every refusal tells the next step. */
export const refuse = (text: string, rest: Omit<Partial<ToolOutcome>, 'text' | 'state'> = {}): ToolOutcome => ({
  state: 'failed',
  text,
  figure: 'refused',
  ...rest,
})

/** The run as tools may know it. */
export interface RunFacts {
  id: RunId
  projectId: ProjectId
  conversationId: ConversationId
  userId: UserId
  taskId: TaskId | null
  taskKey: string | null
  purpose: RunPurpose
  branch: string | null
  seatName: string
  model: string
}

export interface ToolContext {
  session: RunSession
  /** The work tree, absolute inside the sandbox. */
  root: string
  env: Record<string, string>
  run: RunFacts
  role: RoleFile
  agent: Extract<Actor, { kind: 'agent' }>
  /** Path → hash of every file this run has read or written. */
  seen: ReadonlyMap<string, string>
  /** The ledger's step, as the sandbox keeps it; one call that runs several commands names each. */
  step(part?: string): StepRef
  signal: AbortSignal
  tasks: Pick<TaskService, 'submitPlan' | 'document' | 'tick' | 'finish' | 'verdict'>
  repository: Pick<RepositoryService, 'publish'>
}

/**
 * One call, once its arguments are known to be good. The loop stores what `intend` answers before `run` begins; after
 * a crash the next worker has only the arguments and that intent, and calls `resume`.
 */
export interface ToolCall {
  /** One line for the chat, such as `read src/cart.ts`. */
  title: string
  intend?(): Promise<{ outcome: ToolOutcome } | { intent: unknown }>
  run(): Promise<ToolOutcome>
  resume(intent: unknown): Promise<ToolOutcome>
}

export interface Tool {
  name: ToolName
  description: string
  inputSchema: object
  /** Checks the arguments by `protocol/crew.ts`; answers the call, or a refusal that names each bad field. */
  open(input: unknown, context: ToolContext): ToolCall | { refusal: string }
}

export function defineTool<Name extends ToolName>(tool: {
  name: Name
  description: string
  call(input: ToolArgument<Name>, context: ToolContext): ToolCall | { refusal: string }
}): Tool {
  const schema = ToolArguments[tool.name]
  const { $schema: _, ...inputSchema } = z.toJSONSchema(schema, { io: 'input' })
  return {
    name: tool.name,
    description: tool.description,
    inputSchema,
    open(input, context) {
      const parsed = schema.safeParse(input)
      if (!parsed.success) return { refusal: badArguments(tool.name, parsed.error) }
      return tool.call(parsed.data as ToolArgument<Name>, context)
    },
  }
}

function badArguments(name: ToolName, error: z.ZodError): string {
  const faults = error.issues.slice(0, 8).map((issue) => `\`${issue.path.join('.') || 'arguments'}\`: ${issue.message}`)
  const more = error.issues.length > 8 ? ` And ${error.issues.length - 8} more.` : ''
  return `The arguments of ${name} are not right. ${faults.join('; ')}.${more} Correct them and call ${name} again.`
}
