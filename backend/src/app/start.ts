import { setTimeout as sleep } from 'node:timers/promises'
import { type Config, ConfigError, readConfig } from '../platform/config.ts'
import { type OpenDatabase, openDatabase } from '../platform/db/open.ts'
import { createLog, type Log } from '../platform/log.ts'
import { createPubSub } from '../platform/pubsub/pubsub.ts'
import { createQueue } from '../platform/queue/queue.ts'
import { createServer, type GuildhallServer } from './server.ts'
import { buildServices, type Services } from './services.ts'
import { version } from './version.ts'
import { startWorkers } from './workers.ts'

/** A server that was named must answer in this time; our own may take longer to be made. */
const databaseTimeoutMs = 9_000
const stopTimeoutMs = 25_000

/**
 * Starts a process of the house: `serve` = API, page and socket; `work` = jobs and sweeps. Answers how to stop it, in
 * the order that loses nothing: no new requests, runs handed on, sockets closed, and the database last.
 */
export async function start({ serve, work }: { serve: boolean; work: boolean }): Promise<() => Promise<void>> {
  const config = readConfig(process.env)
  if (!(serve && work) && !config.redisUrl) {
    throw new ConfigError(['REDIS_URL is needed where API and workers are several processes'])
  }
  const log = createLog({ level: config.logLevel })
  const database = await reachDatabase(config, log)
  const pubsub = createPubSub({ redisUrl: config.redisUrl, log })
  const queue = createQueue({ systemUrl: database.systemUrl, redisUrl: config.redisUrl, log })
  const port = (): number => server?.port() || config.port
  const services = buildServices({ config, db: database.db, queue, pubsub, port, log })
  const server: GuildhallServer | null = serve ? await createServer({ services, db: database.db, config, log }) : null
  let workers: ReturnType<typeof startWorkers> | null = null

  async function stop(): Promise<void> {
    // Begins now and ends when the sockets have closed, which the services do.
    const closed = server?.app.close()
    await workers?.close()
    await services.close()
    await closed
    await queue.close()
    await pubsub.close()
    await database.close()
  }

  try {
    await server?.app.listen({ port: config.port, host: config.host })
  } catch (error) {
    await stop()
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new ConfigError([`Port ${config.port} is taken by another program. Stop it, or set PORT.`])
  }
  // Beside everything else: the first project finds it done.
  services.sandbox
    .testWalls()
    .catch((error: unknown) => log.error({ err: error }, 'the walls of sandboxes could not be tested'))
  // Only now: a process that finds its port taken must not have taken work.
  if (work) workers = startWorkers({ services, db: database.db, queue, log })
  await tell({ config, database, services, serve, work, port: port() })
  return stop
}

/** Runs until a signal comes, then stops cleanly; a second signal, or too long a wait, ends it at once. */
export async function runUntilSignal(parts: { serve: boolean; work: boolean }): Promise<void> {
  const stop = await start(parts)
  let isStopping = false
  const onSignal = () => {
    if (isStopping) process.exit(1)
    isStopping = true
    setTimeout(() => process.exit(1), stopTimeoutMs).unref()
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

/** A person who mistyped an address gets one sentence, soon. */
async function reachDatabase(config: Config, log: Log): Promise<OpenDatabase> {
  const given = config.databaseUrl ?? config.databaseMigrateUrl ?? config.databaseSystemUrl
  if (!given) return openDatabase({ config, log })
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), databaseTimeoutMs)
  })
  try {
    return await Promise.race([openDatabase({ config, log }), tooLate])
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const { hostname, port, pathname } = new URL(given)
    const where = `${hostname}:${port || '5432'}${pathname}`
    throw new ConfigError([`The database at ${where} cannot be used: ${reasonOf(error)}. Check DATABASE_URL.`])
  } finally {
    clearTimeout(timer)
  }
}

/** node reports a refused connection to several addresses as an error without a message. */
function reasonOf(error: unknown): string {
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  return (inner instanceof Error ? inner.message : String(inner)).replace(/\.$/, '')
}

/** Says what this process is, what it found, and how to get in. */
async function tell({
  config,
  database,
  services,
  serve,
  work,
  port,
}: {
  config: Config
  database: OpenDatabase
  services: Services
  serve: boolean
  work: boolean
  port: number
}): Promise<void> {
  const rows: [string, string][] = [['database', database.source]]
  for (const { name, probe } of services.probes.slice(1)) {
    const ask = () => probe().catch((error: unknown) => ({ status: 'failing', detail: reasonOf(error) }))
    let { status, detail } = await ask()
    // An engine that was started with us needs a moment to answer.
    for (
      let tries = 0;
      name === 'container engine' && status !== 'ok' && config.engine !== 'none' && tries < 10;
      tries++
    ) {
      await sleep(200)
      ;({ status, detail } = await ask())
    }
    rows.push([name, status === 'ok' ? detail : `${status}: ${detail}`])
  }
  const address = config.publicUrl ?? `http://localhost:${port}`
  if (serve) {
    rows.push(['open', address])
    const token = await services.identity.createLink({ onlyWithoutPassword: true })
    if (token) rows.push(['sign in', `${address}/link#${token}   (once, within 15 minutes, on this machine)`])
  }
  const kind = serve && work ? 'all' : serve ? 'api' : 'worker'
  const lines = rows.map(([name, text]) => `  ${name.padEnd(17)} ${text}`)
  process.stdout.write(`Guildhall ${version} (${kind})\n${lines.join('\n')}\n`)
}
