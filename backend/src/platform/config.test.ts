import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, type Environment, readConfig } from './config.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'guildhall-test-config-'))
afterAll(() => rmSync(dataDir, { recursive: true }))

const read = (env: Environment = {}) => readConfig({ DATA_DIR: dataDir, ...env })
function faultsOf(env: Environment): string[] {
  try {
    read(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

test('an empty environment is a complete configuration', () => {
  const { jwtSecret, ...rest } = read()
  expect(jwtSecret.length).toBeGreaterThanOrEqual(32)
  expect(rest).toEqual({
    port: 4400,
    host: '127.0.0.1',
    dataDir,
    databaseUrl: null,
    databaseSystemUrl: null,
    databaseMigrateUrl: null,
    redisUrl: null,
    registration: 'closed',
    publicUrl: null,
    previewDomain: 'preview.localhost',
    engine: 'auto',
    dockerHost: null,
    sandboxImage: 'guildhall-sandbox',
    sandboxBaseImage: null,
    npmRegistry: null,
    pypiIndex: null,
    anthropic: null,
    defaultModel: null,
    modelLabel: null,
    logLevel: 'info',
  })
})

test('an empty value is as good as none', () => {
  expect(read({ PORT: '', REDIS_URL: ' ', ANTHROPIC_API_KEY: '' })).toMatchObject({
    port: 4400,
    redisUrl: null,
    anthropic: null,
  })
})

test('the signing secret is made once, kept, and readable by its owner alone', () => {
  const { jwtSecret } = read()
  expect(read().jwtSecret).toBe(jwtSecret)
  const file = join(dataDir, 'jwt-secret')
  expect(readFileSync(file, 'utf8')).toBe(jwtSecret)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(read({ JWT_SECRET: 'x'.repeat(32) }).jwtSecret).toBe('x'.repeat(32))
})

test.each<[Environment, string]>([
  [{ PORT: '80a' }, 'PORT must be a whole number from 0 to 65535, not "80a"'],
  [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, not "65536"'],
  [{ REGISTRATION: 'maybe' }, 'REGISTRATION must be one of closed, open, not "maybe"'],
  [{ ENGINE: 'podman' }, 'ENGINE must be one of auto, none, local, not "podman"'],
  [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must be an address that begins with redis:// or rediss://'],
  [{ JWT_SECRET: 'short' }, 'JWT_SECRET must have at least 32 characters'],
  [{ ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' }, 'ANTHROPIC_BASE_URL is set but ANTHROPIC_API_KEY is not'],
  [
    { DATABASE_URL: 'postgres://a@localhost/x', DATABASE_SYSTEM_URL: 'postgres://b@localhost/x' },
    'DATABASE_URL, DATABASE_SYSTEM_URL and DATABASE_MIGRATE_URL: give one (it makes the others) or all three',
  ],
  [
    { PREVIEW_DOMAIN: 'https://x.org' },
    'PREVIEW_DOMAIN must be a domain name such as preview.example.org, not "https://x.org"',
  ],
  [
    { MODEL_LABEL: 'scripted' },
    'MODEL_LABEL names the scripted rehearsal and needs ANTHROPIC_BASE_URL: use `make demo`',
  ],
])('%o is one plain fault', (env, fault) => {
  expect(faultsOf(env)).toEqual([fault])
})

test('all faults are told at once', () => {
  expect(faultsOf({ PORT: 'x', ENGINE: 'y', LOG_LEVEL: 'z' })).toHaveLength(3)
})

test('a fault never repeats an address, which may hold a password', () => {
  expect(faultsOf({ DATABASE_URL: 'mysql://app:hunter2@db/x' }).join()).not.toContain('hunter2')
})

test.each(['0.0.0.0', '::', '192.168.1.5', 'guildhall.example.org'])(
  'beyond loopback (%s) it needs an https address and a preview domain',
  (host) => {
    expect(faultsOf({ HOST: host })).toHaveLength(2)
    expect(faultsOf({ HOST: host, PUBLIC_URL: 'http://x.org', PREVIEW_DOMAIN: 'p.x.org' })).toHaveLength(1)
    expect(faultsOf({ HOST: host, PUBLIC_URL: 'https://x.org/', PREVIEW_DOMAIN: 'p.x.org' })).toEqual([])
  },
)

test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is loopback and needs nothing', (host) => {
  expect(faultsOf({ HOST: host })).toEqual([])
})

test('.env.example names every variable, and none that is not read', () => {
  const root = resolve(import.meta.dirname, '../../..')
  const source = readFileSync(join(root, 'backend/src/platform/config.ts'), 'utf8')
  const readHere = [...source.matchAll(/read\.(?:text|number|choice|url)\('([A-Z_]+)'/g)].map((match) => match[1])
  const example = readFileSync(join(root, '.env.example'), 'utf8')
  const named = [...example.matchAll(/^#? ?([A-Z_]+)=/gm)].map((match) => match[1])
  expect([...new Set(named)].sort()).toEqual([...new Set(readHere)].sort())
})
