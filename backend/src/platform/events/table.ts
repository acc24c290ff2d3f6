import type { EventActor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, UserId } from '@guildhall/protocol/ids.ts'
import { bigint, index, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { at, ref } from '../db/columns.ts'

/** The head of each topic. Its row lock makes `seq` gapless and ordered by commit (a sequence shows 2 before 1). */
export const topicTable = pgTable('topics', {
  topic: text().primaryKey(),
  seq: bigint({ mode: 'number' }).notNull(),
})

export const eventTable = pgTable(
  'events',
  {
    topic: text().notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    projectId: ref<ProjectId>(),
    userId: ref<UserId>(),
    at: at().notNull(),
    type: text().notNull(),
    actor: jsonb().$type<EventActor>().notNull(),
    data: jsonb().$type<unknown>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.topic, table.seq] }), index().on(table.projectId, table.type, table.seq)],
)
