import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Conversation, Message, MessageKind, Sender } from '@guildhall/protocol/conversations.ts'
import type { ConversationId, MessageId, ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { Authorize } from '../projects/service.ts'
import {
  findConversation,
  findMessage,
  firstConversation,
  insertConversation,
  insertMessage,
  listConversations,
  listMessages,
  listMessagesAfter,
  lockMessageSeq,
} from './store.ts'

export type NewMessage = {
  /** Whose doing it is, for the log. */
  actor: Actor
  conversationId: ConversationId
  projectId: ProjectId
  sender: Sender
  kind: MessageKind
  content: string
  runId?: RunId | null
  taskId?: TaskId | null
  /** A message that streams before it is stored brings its id. Posting the same id twice stores it once. */
  id?: MessageId
}

export function createConversationService({ db, authorize }: { db: Database; authorize: Authorize }) {
  /** Reads a conversation as `actor`. A stranger's and a missing one look the same. */
  async function readable(actor: Actor, id: ConversationId): Promise<Conversation> {
    const conversation = await db.as(actor, (tx) => findConversation(tx, id))
    if (!conversation) throw notFound('Conversation')
    await authorize(actor, 'project.read', { projectId: conversation.projectId })
    return conversation
  }

  return {
    /** The conversation of a new project, in the transaction that makes the project. */
    open: (tx: Db, input: { id?: ConversationId; projectId: ProjectId; title: string }): Promise<Conversation> =>
      insertConversation(tx, input),

    /**
     * Stores a message and announces `message.sent`, in the caller's transaction. Numbers are gapless and ordered by
     * commit: the conversation's row stays locked until the transaction ends. Throws `not_found`.
     */
    async post(tx: Db, message: NewMessage): Promise<Message> {
      const { actor, ...rest } = message
      const newest = await lockMessageSeq(tx, message.conversationId, message.projectId)
      if (newest === null) throw notFound('Conversation')
      const known = message.id ? await findMessage(tx, message.id) : null
      if (known) return known
      const stored = await insertMessage(tx, { ...rest, seq: newest + 1 })
      await appendEvent(tx, projectTopic(stored.projectId), { type: 'message.sent', actor, data: { message: stored } })
      return stored
    },

    /** The conversation that was made with the project. The caller has asked for permission. Throws `not_found`. */
    async main(projectId: ProjectId): Promise<Conversation> {
      const conversation = await db.system((tx) => firstConversation(tx, projectId))
      if (!conversation) throw notFound('Conversation')
      return conversation
    },

    /** Newest talk first. Throws `not_found` for strangers. */
    async list(actor: Actor, projectId: ProjectId): Promise<Conversation[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, (tx) => listConversations(tx, projectId))
    },

    /** One conversation. Throws `not_found` for strangers. */
    get: readable,

    /** A page of messages, oldest first within it; `nextCursor` is the `before` that leads to older ones. */
    async messages(
      actor: Actor,
      conversationId: ConversationId,
      query: { before?: number; limit?: number } = {},
    ): Promise<{ items: Message[]; nextCursor: string | null }> {
      await readable(actor, conversationId)
      const items = await db.as(actor, (tx) =>
        listMessages(tx, conversationId, { before: query.before, limit: query.limit ?? 100 }),
      )
      const oldest = items[0]?.seq ?? 1
      return { items, nextCursor: oldest > 1 ? String(oldest) : null }
    },

    /** The last messages for a run's opening, oldest first; the house reads, so the caller has asked for permission. */
    recent: (conversationId: ConversationId, limit: number): Promise<Message[]> =>
      db.system((tx) => listMessages(tx, conversationId, { limit })),

    /** What was said after message `after`, oldest first, as the caller's transaction sees it. */
    since: (tx: Db, conversationId: ConversationId, after: number): Promise<Message[]> =>
      listMessagesAfter(tx, conversationId, after),
  }
}
export type ConversationService = ReturnType<typeof createConversationService>
