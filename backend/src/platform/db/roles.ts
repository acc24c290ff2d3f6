import { createHmac } from 'node:crypto'
import pg from 'pg'

/**
 * Three roles, three rights: `migrate` owns the schema, `app` lives under row-level security, `system` is the house
 * (sweeps, scheduler, queue) and sees every row by policy, not by a bypass.
 */
export const roleNames = ['migrate', 'app', 'system'] as const
export type RoleName = (typeof roleNames)[number]

export interface DatabaseUrls {
  migrateUrl: string
  appUrl: string
  systemUrl: string
}

export function roleUrls(url: string, password: (role: RoleName) => string): DatabaseUrls {
  const as = (role: RoleName) => {
    const out = new URL(url)
    out.username = role
    out.password = password(role)
    return out.toString()
  }
  return { migrateUrl: as('migrate'), appUrl: as('app'), systemUrl: as('system') }
}

/**
 * Makes the roles, the database named in `adminUrl` when it is missing, and gives its schema to `migrate`.
 * Idempotent. `adminUrl` must be allowed to create roles. Answers the three URLs.
 */
export async function prepareServer(adminUrl: string, { withPasswords }: { withPasswords: boolean }) {
  const admin = new URL(adminUrl)
  const database = decodeURIComponent(admin.pathname.slice(1))
  // Every process of an installation derives the same passwords from the one it was given; none is stored.
  const password = (role: RoleName) =>
    withPasswords ? createHmac('sha256', admin.password).update(`guildhall role ${role}`).digest('hex') : ''

  const maintenance = new URL(adminUrl)
  maintenance.pathname = '/postgres'
  await withClient(maintenance.toString(), async (client) => {
    // Roles belong to the whole server: two processes that start at once must not both create them.
    await client.query("select pg_advisory_lock(hashtext('guildhall roles'))")
    const existing = await client.query<{ rolname: string }>('select rolname from pg_roles')
    const names = new Set(existing.rows.map((row) => row.rolname))
    for (const role of roleNames) {
      const secret = withPasswords ? ` password ${client.escapeLiteral(password(role))}` : ''
      if (!names.has(role)) await client.query(`create role ${client.escapeIdentifier(role)} login${secret}`)
      else if (secret) await client.query(`alter role ${client.escapeIdentifier(role)}${secret}`)
    }
    // A role that is no superuser may give ownership only to a role it is a member of.
    await client.query('grant migrate to current_user')
    const found = await client.query('select 1 from pg_database where datname = $1', [database])
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)} owner migrate`)
  })
  await withClient(adminUrl, async (client) => {
    // Such a lock holds within one database only, so this one needs its own.
    await client.query("select pg_advisory_lock(hashtext('guildhall roles'))")
    await client.query(`grant all on database ${client.escapeIdentifier(database)} to migrate`)
    await client.query('grant all on schema public to migrate')
    await client.query('revoke create on schema public from public')
  })
  return roleUrls(adminUrl, password)
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  // The server may end while we are connected; the query that is under way reports it.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
