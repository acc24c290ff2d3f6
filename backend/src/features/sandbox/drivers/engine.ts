import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Docker from 'dockerode'
import { AppError } from '../../../platform/errors.ts'

const defaultSocket = '/var/run/docker.sock'
const answerWithinMs = 5_000

export type EngineAddress = { url: string; source: string }

/**
 * Where the container engine is: DOCKER_HOST, else the current docker context, else OrbStack's socket, else the default
 * one. A place that was named is not passed over when it is silent; sockets that are not there are.
 */
export async function findEngine({
  dockerHost,
  home = homedir(),
  socket = defaultSocket,
}: {
  dockerHost?: string | null | undefined
  home?: string | undefined
  socket?: string | undefined
}): Promise<EngineAddress> {
  if (dockerHost) return { url: dockerHost, source: 'DOCKER_HOST' }
  const context = await contextAddress(home)
  if (context) return context
  for (const [path, source] of [
    [join(home, '.orbstack/run/docker.sock'), 'OrbStack'],
    [socket, 'the default socket'],
  ] as const) {
    if (await isSocket(path)) return { url: `unix://${path}`, source }
  }
  throw noEngine('No container engine was found. Install Docker, OrbStack or Podman, or set DOCKER_HOST.')
}

/** A client for an address; nothing is asked of it yet. */
export function connectEngine({ url, source }: EngineAddress): Docker {
  const parsed = URL.parse(url)
  switch (parsed?.protocol) {
    case 'unix:':
      return new Docker({ socketPath: decodeURIComponent(parsed.pathname) })
    case 'tcp:':
    case 'http:':
      return new Docker({ protocol: 'http', host: parsed.hostname, port: parsed.port || 2375 })
    case 'https:':
      return new Docker({ protocol: 'https', host: parsed.hostname, port: parsed.port || 2376 })
    case 'ssh:':
      return new Docker({
        protocol: 'ssh',
        host: parsed.hostname,
        port: parsed.port || 22,
        username: decodeURIComponent(parsed.username),
      })
    default:
      throw noEngine(`The engine address "${url}" (from ${source}) is not unix, tcp, http, https or ssh`)
  }
}

/** Throws `no_engine` when the engine does not answer in time. */
export async function pingEngine(docker: Docker, { url, source }: EngineAddress): Promise<void> {
  try {
    await Promise.race([docker.ping(), late()])
  } catch (error) {
    throw noEngine(`The container engine at ${url} (${source}) does not answer: ${(error as Error).message}`, error)
  }
}

async function late(): Promise<never> {
  await sleep(answerWithinMs, undefined, { ref: false })
  throw new Error(`no answer in ${answerWithinMs} ms`)
}

export const noEngine = (detail: string, cause?: unknown) => new AppError('no_engine', detail, { cause })

/** As the docker command line keeps it: a name in config.json, a folder named by its sha-256. */
async function contextAddress(home: string): Promise<EngineAddress | null> {
  const config = await readJson(join(home, '.docker/config.json'))
  const name = process.env['DOCKER_CONTEXT'] ?? (config as { currentContext?: unknown } | null)?.currentContext
  if (typeof name !== 'string' || name === '' || name === 'default') return null
  const folder = createHash('sha256').update(name).digest('hex')
  const meta = await readJson(join(home, '.docker/contexts/meta', folder, 'meta.json'))
  const host = (meta as { Endpoints?: { docker?: { Host?: unknown } } } | null)?.Endpoints?.docker?.Host
  if (typeof host !== 'string' || host === '') throw noEngine(`The docker context "${name}" names no engine`)
  return { url: host, source: `docker context ${name}` }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw noEngine(`${path} cannot be read: ${(error as Error).message}`, error)
  }
}

const isSocket = (path: string) =>
  stat(path).then(
    (found) => found.isSocket(),
    () => false,
  )
