import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import type pg from 'pg'
import { ConfigError } from '../config.ts'
import { migrateQueue } from '../queue/schema.ts'
import { withClient } from './roles.ts'

const folder = resolve(import.meta.dirname, '../../../migrations')

/**
 * Brings schema, rules, the queue's schema and the seeds up to date, as role `migrate`. Any number of processes may
 * call it at once; the second finds nothing to do. Throws a plain sentence when the database was made by other files.
 */
export async function migrateDatabase(migrateUrl: string): Promise<void> {
  await withClient(migrateUrl, async (client) => {
    await client.query('set client_min_messages = warning')
    await client.query("select pg_advisory_lock(hashtext('guildhall migrations'))")
    await refuseForeignHistory(client)
    await migrate(drizzle(client), { migrationsFolder: folder })
    await migrateQueue(client)
    for (const name of readdirSync(join(folder, 'seeds')).sort()) {
      await client.query(readFileSync(join(folder, 'seeds', name), 'utf8'))
    }
  })
}

/** drizzle compares dates only: a file that changed after it was applied would be passed over in silence. */
async function refuseForeignHistory(client: pg.Client) {
  const table = await client.query("select to_regclass('drizzle.__drizzle_migrations') as name")
  if (!(table.rows[0] as { name: string | null }).name) return
  const applied = await client.query<{ hash: string; created_at: string }>(
    'select hash, created_at from drizzle.__drizzle_migrations order by created_at',
  )
  const journal = JSON.parse(readFileSync(join(folder, 'meta/_journal.json'), 'utf8')) as {
    entries: { tag: string; when: number }[]
  }
  const known = new Map(
    journal.entries.map(({ tag, when }) => [
      when,
      createHash('sha256')
        .update(readFileSync(join(folder, `${tag}.sql`), 'utf8'))
        .digest('hex'),
    ]),
  )
  if (applied.rows.every((row) => known.get(Number(row.created_at)) === row.hash)) return
  throw new ConfigError([
    'This database was made by other migration files than these. Start the version that made it, or, if nothing in ' +
      'it is worth keeping, remove the data folder (make clean-data).',
  ])
}
