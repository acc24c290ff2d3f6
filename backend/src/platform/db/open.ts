import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { createDatabase, type Database } from './database.ts'
import { startEmbeddedPostgres } from './embedded.ts'
import { migrateDatabase } from './migrate.ts'
import { type DatabaseUrls, prepareServer } from './roles.ts'

export interface OpenDatabase extends DatabaseUrls {
  db: Database
  /** What serves it, for the start line and the health page. */
  source: string
  /** Last of all: whoever else uses the URLs must be closed before. */
  close(): Promise<void>
}

/** Finds or starts the database that the configuration means, brings it up to date and opens it. */
export async function openDatabase({ config, log }: { config: Config; log: Log }): Promise<OpenDatabase> {
  const { urls, source, stop } = await findServer(config, log)
  await migrateDatabase(urls.migrateUrl).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  const onPoolError = (error: Error) => log.warn({ reason: error.message }, 'a database connection was lost')
  const db = createDatabase({ ...urls, onPoolError })
  return {
    ...urls,
    db,
    source,
    async close() {
      await db.close()
      await stop()
    },
  }
}

async function findServer(config: Config, log: Log) {
  const { databaseUrl, databaseSystemUrl, databaseMigrateUrl } = config
  const stop = async () => undefined
  if (databaseUrl && databaseSystemUrl && databaseMigrateUrl) {
    const urls = { appUrl: databaseUrl, systemUrl: databaseSystemUrl, migrateUrl: databaseMigrateUrl }
    return { urls, source: `PostgreSQL at ${new URL(databaseUrl).host}`, stop }
  }
  const given = databaseUrl ?? databaseMigrateUrl ?? databaseSystemUrl
  if (given) {
    const urls = await prepareServer(given, { withPasswords: true })
    return { urls, source: `PostgreSQL at ${new URL(given).host}`, stop }
  }
  const embedded = await startEmbeddedPostgres({
    dir: join(config.dataDir, 'postgres'),
    log: (line) => log.info(line),
  })
  return { urls: embedded, source: `PostgreSQL of our own in ${config.dataDir}`, stop: embedded.stop }
}
