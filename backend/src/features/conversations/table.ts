import type { Sender, MessageKind } from '@guildhall/protocol/conversations.ts'
import type { ConversationId, MessageId, ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, id, ref, updatedAt } from '../../platform/db/columns.ts'
import { projectTable } from '../projects/table.ts'

export const conversationTable = pgTable(
  'conversations',
  {
    id: id<ConversationId>(),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    title: text().notNull(),
    /** Newest message number; its row lock orders the messages of a conversation. */
    messageSeq: integer().notNull().default(0),
    lastMessageAt: at(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [index().on(table.projectId, table.lastMessageAt)],
)

/** Append-only: a message is stored before it is delivered, and never changed. */
export const messageTable = pgTable(
  'agent_messages',
  {
    id: id<MessageId>(),
    conversationId: ref<ConversationId>()
      .notNull()
      .references(() => conversationTable.id, { onDelete: 'cascade' }),
    projectId: ref<ProjectId>()
      .notNull()
      .references(() => projectTable.id, { onDelete: 'cascade' }),
    taskId: ref<TaskId>(),
    runId: ref<RunId>(),
    sender: jsonb().$type<Sender>().notNull(),
    kind: text().$type<MessageKind>().notNull(),
    content: text().notNull(),
    seq: integer().notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex().on(table.conversationId, table.seq), index().on(table.runId)],
)
