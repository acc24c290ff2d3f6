import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../platform/db/embedded.ts'
import { migrateDatabase } from '../platform/db/migrate.ts'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The superuser's URL of the shared server; its database is the migrated and seeded template. */
    templateUrl: string
  }
}

const prefix = 'guildhall-test-postgres-'
const dayMs = 24 * 60 * 60 * 1000

/** Vitest's globalSetup: one server for all workers of a run, with one template database; it dies with the run. */
export default async function setUp(project: TestProject) {
  removeOldOnes()
  const dir = mkdtempSync(join(tmpdir(), prefix))
  // Nothing here outlives the run, so nothing waits for the disk.
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: 300 }
  const server = await startEmbeddedPostgres({ dir, settings, database: 'template_guildhall' })
  await migrateDatabase(server.migrateUrl)
  project.provide('templateUrl', server.adminUrl)
  return async () => {
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A run that was killed leaves its folder (its server died with it). */
function removeOldOnes() {
  for (const name of readdirSync(tmpdir())) {
    const path = join(tmpdir(), name)
    if (name.startsWith(prefix) && Date.now() - statSync(path).mtimeMs > dayMs) rmSync(path, { recursive: true })
  }
}
