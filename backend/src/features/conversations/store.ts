import type { Conversation, Message } from '@guildhall/protocol/conversations.ts'
import type { ConversationId, MessageId, ProjectId } from '@guildhall/protocol/ids.ts'
import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import { conversationTable, messageTable } from './table.ts'

const toConversation = (row: typeof conversationTable.$inferSelect): Conversation => ({
  id: row.id,
  projectId: row.projectId,
  title: row.title,
  createdAt: row.createdAt.toISOString(),
  lastMessageAt: row.lastMessageAt?.toISOString() ?? null,
})

const toMessage = (row: typeof messageTable.$inferSelect): Message => ({
  id: row.id,
  conversationId: row.conversationId,
  projectId: row.projectId,
  taskId: row.taskId,
  runId: row.runId,
  sender: row.sender,
  kind: row.kind,
  content: row.content,
  seq: row.seq,
  createdAt: row.createdAt.toISOString(),
})

export async function insertConversation(
  db: Db,
  input: { id?: ConversationId; projectId: ProjectId; title: string },
): Promise<Conversation> {
  const [row] = await db.insert(conversationTable).values(input).returning()
  return toConversation(row!)
}

export async function findConversation(db: Db, id: ConversationId): Promise<Conversation | null> {
  const [row] = await db.select().from(conversationTable).where(eq(conversationTable.id, id))
  return row ? toConversation(row) : null
}

/** The conversation that was made with the project. */
export async function firstConversation(db: Db, projectId: ProjectId): Promise<Conversation | null> {
  const [row] = await db
    .select()
    .from(conversationTable)
    .where(eq(conversationTable.projectId, projectId))
    .orderBy(asc(conversationTable.createdAt), asc(conversationTable.id))
    .limit(1)
  return row ? toConversation(row) : null
}

/** Newest talk first. */
export async function listConversations(db: Db, projectId: ProjectId): Promise<Conversation[]> {
  const rows = await db
    .select()
    .from(conversationTable)
    .where(eq(conversationTable.projectId, projectId))
    .orderBy(sql`${conversationTable.lastMessageAt} desc nulls last`, desc(conversationTable.createdAt))
    .limit(200)
  return rows.map(toConversation)
}

/** Locks the conversation's row until the transaction ends; answers its newest message number, null when it is not in that project. */
export async function lockMessageSeq(db: Db, id: ConversationId, projectId: ProjectId): Promise<number | null> {
  const [row] = await db
    .select({ seq: conversationTable.messageSeq })
    .from(conversationTable)
    .where(and(eq(conversationTable.id, id), eq(conversationTable.projectId, projectId)))
    .for('update')
  return row?.seq ?? null
}

export async function findMessage(db: Db, id: MessageId): Promise<Message | null> {
  const [row] = await db.select().from(messageTable).where(eq(messageTable.id, id))
  return row ? toMessage(row) : null
}

/** Expects the conversation's row to be locked. */
export async function insertMessage(db: Db, input: typeof messageTable.$inferInsert): Promise<Message> {
  const [row] = await db.insert(messageTable).values(input).returning()
  await db
    .update(conversationTable)
    .set({ messageSeq: input.seq, lastMessageAt: row!.createdAt })
    .where(eq(conversationTable.id, input.conversationId))
  return toMessage(row!)
}

/** Messages after number `after`, oldest first, at most 100. */
export async function listMessagesAfter(db: Db, conversationId: ConversationId, after: number): Promise<Message[]> {
  const rows = await db
    .select()
    .from(messageTable)
    .where(and(eq(messageTable.conversationId, conversationId), gt(messageTable.seq, after)))
    .orderBy(asc(messageTable.seq))
    .limit(100)
  return rows.map(toMessage)
}

/** The newest `limit` messages before number `before`, oldest first. */
export async function listMessages(
  db: Db,
  conversationId: ConversationId,
  { before, limit }: { before?: number; limit: number },
): Promise<Message[]> {
  const rows = await db
    .select()
    .from(messageTable)
    .where(
      and(
        eq(messageTable.conversationId, conversationId),
        before === undefined ? undefined : lt(messageTable.seq, before),
      ),
    )
    .orderBy(desc(messageTable.seq))
    .limit(limit)
  return rows.reverse().map(toMessage)
}
