import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type GuildhallServer } from '../app/server.ts'
import { buildServices } from '../app/services.ts'
import { readConfig } from '../platform/config.ts'
import { createLog } from '../platform/log.ts'
import { createPubSub } from '../platform/pubsub/pubsub.ts'
import { createQueue } from '../platform/queue/queue.ts'
import { freshDatabase } from './database.ts'

/** What a test says to the API: JSON in, status and JSON out. `token` is an access token. */
export interface Call {
  method?: string
  token?: string
  body?: unknown
  headers?: Record<string, string>
}

/**
 * The whole API over a database and folders of its own, listening on a free port of loopback; no workers, no container
 * engine. `env` changes the configuration.
 */
export async function freshApp(env: Record<string, string> = {}) {
  const database = await freshDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'guildhall-test-'))
  const config = readConfig({ DATA_DIR: dataDir, REGISTRATION: 'open', ENGINE: 'none', LOG_LEVEL: 'silent', ...env })
  const log = createLog({ level: config.logLevel })
  const pubsub = createPubSub({ log })
  const queue = createQueue({ systemUrl: database.systemUrl, log })
  const services = buildServices({ config, db: database.db, queue, pubsub, port: () => server.port(), log })
  const server: GuildhallServer = await createServer({ services, db: database.db, config, log })
  await server.app.listen({ port: 0, host: '127.0.0.1' })
  const origin = `http://127.0.0.1:${server.port()}`

  async function call(path: string, { method = 'GET', token, body, headers = {} }: Call = {}) {
    const response = await fetch(origin + path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json')
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
  }

  return {
    db: database.db,
    services,
    config,
    server,
    origin,
    call,
    async close() {
      await Promise.all([server.app.close(), services.close()])
      await queue.close()
      await pubsub.close()
      await database.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
export type TestApp = Awaited<ReturnType<typeof freshApp>>
