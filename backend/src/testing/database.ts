import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { createDatabase, type Database } from '../platform/db/database.ts'
import { type DatabaseUrls, withClient } from '../platform/db/roles.ts'

export interface TestDatabase extends DatabaseUrls {
  db: Database
  /** Ends `db`'s connections and whoever else is connected, and drops the database. */
  close(): Promise<void>
}

/** A database of its own for one test file or test: a clone of the migrated and seeded template. */
export async function freshDatabase(): Promise<TestDatabase> {
  const templateUrl = inject('templateUrl')
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(templateUrl, `create database ${name} template template_guildhall owner migrate`)
  const urlAs = (user: string) => {
    const url = new URL(templateUrl)
    url.username = user
    url.pathname = `/${name}`
    return url.toString()
  }
  const urls = { migrateUrl: urlAs('migrate'), appUrl: urlAs('app'), systemUrl: urlAs('system') }
  const db = createDatabase({ ...urls })
  return {
    ...urls,
    db,
    async close() {
      await db.close()
      await onServer(templateUrl, `drop database if exists ${name} with (force)`)
    },
  }
}

/** Not in the template itself: a database cannot be cloned while somebody is connected to it. */
async function onServer(templateUrl: string, statement: string) {
  const url = new URL(templateUrl)
  url.pathname = '/postgres'
  await withClient(url.toString(), (client) => client.query(statement))
}
