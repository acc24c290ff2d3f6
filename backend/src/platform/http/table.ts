import type { UserId } from '@guildhall/protocol/ids.ts'
import { integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { createdAt, ref } from '../db/columns.ts'

/** Keys of writes that were carried out. Written with the effect; the answer follows, and is null where a crash came between. */
export const idempotencyTable = pgTable(
  'idempotency_keys',
  {
    userId: ref<UserId>().notNull(),
    key: text().notNull(),
    /** Keyed hash of method, address and body: a body may hold a password. */
    fingerprint: text().notNull(),
    status: integer(),
    contentType: text(),
    body: text(),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.key] })],
)
