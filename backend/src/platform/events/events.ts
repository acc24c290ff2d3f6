import type { Actor, EventActor } from '@guildhall/protocol/actor.ts'
import type { Event, Fact, FactType, Topic } from '@guildhall/protocol/events.ts'
import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm'
import { type Db, touchTopic } from '../db/database.ts'
import { storable } from '../db/storable.ts'
import { eventTable, topicTable } from './table.ts'

export const projectTopic = (projectId: string): Topic => `project:${projectId}`
export const userTopic = (userId: string): Topic => `user:${userId}`

const asEventActor = (actor: Actor): EventActor => {
  if (actor.kind === 'user') return { kind: 'user', userId: actor.userId }
  if (actor.kind === 'agent') return { kind: 'agent', agentId: actor.agentId, runId: actor.runId, role: actor.role }
  return { kind: 'system' }
}

/**
 * Appends one fact to the log, in the transaction of the state it describes; answers its seq. The topic's row stays
 * locked until commit, so append as late in the transaction as the story allows.
 */
export async function appendEvent(tx: Db, topic: Topic, fact: Fact & { actor: Actor }): Promise<number> {
  const [kind, id] = topic.split(':') as ['user' | 'project', string]
  const projectId = kind === 'project' ? id : null
  const userId = kind === 'user' ? id : null
  const actor = JSON.stringify(asEventActor(fact.actor))
  const data = JSON.stringify(storable(fact.data))
  // One statement: between the number and its event lies no way to the server and back.
  const { rows } = await tx.execute<{ seq: string }>(sql`
    with head as (
      insert into ${topicTable} (topic, seq) values (${topic}, 1)
      on conflict (topic) do update set seq = ${topicTable}.seq + 1 returning seq
    ), event as (
      insert into ${eventTable} (topic, seq, project_id, user_id, at, type, actor, data)
      select ${topic}, seq, ${projectId}::uuid, ${userId}::uuid, ${new Date().toISOString()}::timestamptz, ${fact.type}, ${actor}::jsonb, ${data}::jsonb
      from head
    )
    select seq from head`)
  const seq = Number(rows[0]!.seq)
  touchTopic(tx, topic)
  return seq
}

/** Events after `after`, oldest first. */
export async function listEvents(db: Db, topic: Topic, after: number, limit: number): Promise<Event[]> {
  const rows = await db
    .select()
    .from(eventTable)
    .where(and(eq(eventTable.topic, topic), gt(eventTable.seq, after)))
    .orderBy(asc(eventTable.seq))
    .limit(limit)
  return rows.map(
    ({ topic, seq, at, type, actor, data }) => ({ topic, seq, at: at.toISOString(), type, actor, data }) as Event,
  )
}

/** The newest seq of a topic, 0 when nothing has happened yet. */
export async function topicHead(db: Db, topic: Topic): Promise<number> {
  const [row] = await db.select({ seq: topicTable.seq }).from(topicTable).where(eq(topicTable.topic, topic))
  return row?.seq ?? 0
}

/** Forgets a topic with all its events; needs the house's rights. */
export async function deleteTopic(db: Db, topic: Topic): Promise<void> {
  await db.delete(eventTable).where(eq(eventTable.topic, topic))
  await db.delete(topicTable).where(eq(topicTable.topic, topic))
}

/** The newest seq of each of these topics that has one. */
export async function topicHeads(db: Db, topics: Topic[]): Promise<Map<Topic, number>> {
  const rows = await db.select().from(topicTable).where(inArray(topicTable.topic, topics))
  return new Map(rows.map(({ topic, seq }) => [topic as Topic, seq]))
}

/** A topic's facts of one type whose data holds `match` (a JSON containment, such as `{ taskId }`), oldest first. */
export async function listFacts<Type extends FactType>(
  db: Db,
  topic: Topic,
  type: Type,
  match: object,
): Promise<{ seq: number; data: Extract<Fact, { type: Type }>['data'] }[]> {
  const rows = await db
    .select({ seq: eventTable.seq, data: eventTable.data })
    .from(eventTable)
    .where(
      and(
        eq(eventTable.topic, topic),
        eq(eventTable.type, type),
        sql`${eventTable.data} @> ${JSON.stringify(match)}::jsonb`,
      ),
    )
    .orderBy(asc(eventTable.seq))
  // What was appended under this type has this shape: appendEvent takes nothing else.
  return rows.map(({ seq, data }) => ({ seq, data: data as never }))
}
