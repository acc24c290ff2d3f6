import { runMigrations } from 'bullmq'
import type pg from 'pg'

/** The PostgreSQL schema that BullMQ lives in. */
export const queueSchema = 'bullmq'

/** Brings the queue's schema up to date as role `migrate`, which owns it; the house's role may use it. */
export async function migrateQueue(client: pg.Client): Promise<void> {
  await runMigrations(client as never, queueSchema)
  await client.query(`
    grant usage on schema ${queueSchema} to system;
    grant select, insert, update, delete on all tables in schema ${queueSchema} to system;
    grant usage, select on all sequences in schema ${queueSchema} to system;
    grant execute on all functions in schema ${queueSchema} to system`)
}
