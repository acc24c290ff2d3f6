import { z } from 'zod'
import { AgentId, ConversationId, MessageId, ProjectId, RunId, TaskId, Timestamp, UserId } from './ids.ts'
import { Role } from './roles.ts'

export const Conversation = z.object({
  id: ConversationId,
  projectId: ProjectId,
  title: z.string(),
  createdAt: Timestamp,
  lastMessageAt: Timestamp.nullable(),
})
export type Conversation = z.infer<typeof Conversation>

export const Sender = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('user'), userId: UserId, name: z.string() }),
  z.object({ kind: z.literal('agent'), agentId: AgentId, role: Role, name: z.string() }),
  z.object({ kind: z.literal('system') }),
])
export type Sender = z.infer<typeof Sender>

export const MessageKind = z.enum(['chat', 'request', 'answer', 'delegate', 'broadcast', 'question', 'status'])
export type MessageKind = z.infer<typeof MessageKind>

/** `seq` counts within the conversation, from 1. */
export const Message = z.object({
  id: MessageId,
  conversationId: ConversationId,
  projectId: ProjectId,
  taskId: TaskId.nullable(),
  runId: RunId.nullable(),
  sender: Sender,
  kind: MessageKind,
  content: z.string(),
  seq: z.int(),
  createdAt: Timestamp,
})
export type Message = z.infer<typeof Message>

export const MessageQuery = z.object({
  before: z.coerce.number().pipe(z.int32().min(1)).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
})
