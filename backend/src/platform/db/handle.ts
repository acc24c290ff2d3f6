import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'

/** A connection or a transaction; a store function cannot tell which, so its caller decides what is atomic. */
export type Db = Pick<
  NodePgDatabase,
  'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | 'execute' | '$with' | 'with'
>

/** Beyond it a statement is sent without a name: lists of every length must not fill the server's memory. */
const maxNames = 500
const names = new Map<string, string>()

/** One name for one text, in every connection of this process. */
function nameOf(text: string): string | undefined {
  const known = names.get(text)
  if (known !== undefined || names.size >= maxNames) return known
  const name = `s${names.size + 1}`
  names.set(text, name)
  return name
}

/**
 * The connection as drizzle gets it: a statement has a name, so that the server parses it once a connection and soon
 * plans it no more. With row-level security in every query that is half of what a short statement costs (measured).
 */
function withNames(connection: pg.PoolClient): pg.PoolClient {
  const query = (statement: pg.QueryConfig, values: unknown[]) =>
    connection.query({ ...statement, name: nameOf(statement.text) }, values)
  return Object.create(connection, { query: { value: query } }) as pg.PoolClient
}

const handles = new WeakMap<pg.PoolClient, NodePgDatabase>()

/** drizzle's handle of a connection, made once: it keeps what it has worked out about tables and columns. */
export function handleOf(connection: pg.PoolClient): NodePgDatabase {
  const known = handles.get(connection)
  if (known) return known
  const handle = drizzle({ client: withNames(connection), casing: 'snake_case' })
  handles.set(connection, handle)
  return handle
}
