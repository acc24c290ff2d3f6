import { z } from 'zod'
import { ConversationId, MessageId, RunId } from './ids.ts'

/** Goes to the manager, who plans. A running plan run of the same conversation reads it as its next message. */
export const SendChat = z.strictObject({
  content: z.string().trim().min(1).max(50_000),
  conversationId: ConversationId.optional(),
})
export type SendChat = z.infer<typeof SendChat>

export const ChatAccepted = z.object({ messageId: MessageId, conversationId: ConversationId, runId: RunId })
export type ChatAccepted = z.infer<typeof ChatAccepted>

export const StopChat = z.object({ stoppedRuns: z.int() })
