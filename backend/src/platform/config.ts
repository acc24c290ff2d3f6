import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'

export type EngineChoice = 'auto' | 'none' | 'local'

/** Everything the house can be told, from the environment and nowhere else. `.env.example` explains each name. */
export interface Config {
  port: number
  host: string
  /** Absolute. Holds what must survive: the embedded database, repositories, secrets made here. */
  dataDir: string
  /** null = the embedded server. One URL given = it makes the other two roles. */
  databaseUrl: string | null
  databaseSystemUrl: string | null
  databaseMigrateUrl: string | null
  redisUrl: string | null
  jwtSecret: string
  registration: 'closed' | 'open'
  publicUrl: string | null
  previewDomain: string
  engine: EngineChoice
  dockerHost: string | null
  sandboxImage: string
  sandboxBaseImage: string | null
  /** null = what npm and pip of this machine are set to. */
  npmRegistry: string | null
  pypiIndex: string | null
  anthropic: { apiKey: string; baseUrl: string | null } | null
  defaultModel: string | null
  /** Set by the rehearsal only; shown wherever its model is. */
  modelLabel: string | null
  logLevel: string
}

export type Environment = Record<string, string | undefined>

/** Every fault found, one plain line each. */
export class ConfigError extends Error {
  readonly faults: string[]

  constructor(faults: string[]) {
    super(faults.join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** Reads and checks the whole environment. Throws ConfigError. Makes the data folder and, once, the signing secret. */
export function readConfig(env: Environment): Config {
  const faults: string[] = []
  const read = createReader(env, faults)

  const host = read.text('HOST') ?? '127.0.0.1'
  const publicUrl = read.url('PUBLIC_URL', ['http:', 'https:'])
  const previewDomain = read.text('PREVIEW_DOMAIN')
  if (previewDomain !== null && !/^([a-z0-9-]+\.)*[a-z0-9-]+$/i.test(previewDomain))
    faults.push(`PREVIEW_DOMAIN must be a domain name such as preview.example.org, not "${previewDomain}"`)
  if (!isLoopback(host)) faults.push(...beyondLoopback({ host, publicUrl, previewDomain }))

  const config: Omit<Config, 'jwtSecret'> = {
    port: read.number('PORT', { fallback: 4400, from: 0, to: 65_535 }),
    host,
    dataDir: resolve(read.text('DATA_DIR') ?? 'data'),
    databaseUrl: read.url('DATABASE_URL', ['postgres:', 'postgresql:']),
    databaseSystemUrl: read.url('DATABASE_SYSTEM_URL', ['postgres:', 'postgresql:']),
    databaseMigrateUrl: read.url('DATABASE_MIGRATE_URL', ['postgres:', 'postgresql:']),
    redisUrl: read.url('REDIS_URL', ['redis:', 'rediss:']),
    registration: read.choice('REGISTRATION', ['closed', 'open']),
    publicUrl: publicUrl?.replace(/\/+$/, '') ?? null,
    previewDomain: (previewDomain ?? 'preview.localhost').toLowerCase(),
    engine: read.choice('ENGINE', ['auto', 'none', 'local']),
    dockerHost: read.text('DOCKER_HOST'),
    sandboxImage: read.text('SANDBOX_IMAGE') ?? 'guildhall-sandbox',
    sandboxBaseImage: read.text('SANDBOX_BASE_IMAGE'),
    npmRegistry: read.url('NPM_REGISTRY', ['http:', 'https:']),
    pypiIndex: read.text('PYPI_INDEX'),
    anthropic: readAnthropic(read, faults),
    defaultModel: read.text('DEFAULT_MODEL'),
    modelLabel: read.text('MODEL_LABEL'),
    logLevel: read.choice('LOG_LEVEL', ['info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent']),
  }
  const urls = [config.databaseUrl, config.databaseSystemUrl, config.databaseMigrateUrl].filter(Boolean).length
  if (urls === 2)
    faults.push(
      'DATABASE_URL, DATABASE_SYSTEM_URL and DATABASE_MIGRATE_URL: give one (it makes the others) or all three',
    )
  if (config.modelLabel && !config.anthropic?.baseUrl)
    faults.push('MODEL_LABEL names the scripted rehearsal and needs ANTHROPIC_BASE_URL: use `make demo`')
  const secret = read.text('JWT_SECRET')
  if (secret !== null && secret.length < 32) faults.push('JWT_SECRET must have at least 32 characters')

  if (faults.length > 0) throw new ConfigError(faults)
  return { ...config, jwtSecret: secret ?? keptSecret(config.dataDir) }
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

/** Sign-in cookies and previews are only safe behind TLS and on a domain of their own. */
function beyondLoopback(given: { host: string; publicUrl: string | null; previewDomain: string | null }): string[] {
  const { host, publicUrl, previewDomain } = given
  const faults: string[] = []
  if (!publicUrl?.startsWith('https:'))
    faults.push(`HOST=${host} is reachable from outside: set PUBLIC_URL to the https address people use`)
  if (previewDomain === null)
    faults.push(
      `HOST=${host} is reachable from outside: set PREVIEW_DOMAIN to a wildcard domain for previews ` +
        '(without one, stay on 127.0.0.1 and reach it by an SSH tunnel: ssh -L 4400:127.0.0.1:4400 server)',
    )
  return faults
}

type Reader = ReturnType<typeof createReader>

function createReader(env: Environment, faults: string[]) {
  const text = (name: string): string | null => env[name]?.trim() || null
  return {
    text,
    number(name: string, { fallback, from, to }: { fallback: number; from: number; to: number }): number {
      const value = text(name)
      if (value === null) return fallback
      if (!/^\d+$/.test(value) || Number(value) < from || Number(value) > to) {
        faults.push(`${name} must be a whole number from ${from} to ${to}, not "${value}"`)
        return fallback
      }
      return Number(value)
    },
    choice<Choice extends string>(name: string, choices: readonly [Choice, ...Choice[]]): Choice {
      const value = text(name) ?? choices[0]
      const found = choices.find((choice) => choice === value)
      if (!found) faults.push(`${name} must be one of ${choices.join(', ')}, not "${value}"`)
      return found ?? choices[0]
    },
    /** The value is not repeated in the fault: it may hold a password. */
    url(name: string, protocols: string[]): string | null {
      const value = text(name)
      if (value === null) return null
      const fault = `${name} must be an address that begins with ${protocols.map((it) => `${it}//`).join(' or ')}`
      if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) faults.push(fault)
      return value
    },
  }
}

function readAnthropic(read: Reader, faults: string[]): Config['anthropic'] {
  const apiKey = read.text('ANTHROPIC_API_KEY')
  const baseUrl = read.url('ANTHROPIC_BASE_URL', ['http:', 'https:'])
  if (apiKey) return { apiKey, baseUrl }
  if (baseUrl) faults.push('ANTHROPIC_BASE_URL is set but ANTHROPIC_API_KEY is not')
  return null
}

/** Made on the first start; every process of this data folder signs with it. */
function keptSecret(dataDir: string): string {
  const path = join(dataDir, 'jwt-secret')
  // A server that root starts runs PostgreSQL as another user, which must pass through, not list.
  mkdirSync(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
  try {
    writeFileSync(path, randomBytes(48).toString('base64url'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8')
}
