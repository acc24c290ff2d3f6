import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { locateBinaries, rootState, type RunAs, unprivilegedUser } from './embedded-binaries.ts'
import { type DatabaseUrls, prepareServer, withClient } from './roles.ts'

export interface EmbeddedPostgres extends DatabaseUrls {
  /** The superuser's URL; only this module and the tests' database factory use it. */
  adminUrl: string
  /** Whether a server of another process was already there; then `stop` leaves it running. */
  adopted: boolean
  pid: () => number
  /** Close every pool first: a client that loses its server reports an error, and a second is all they get. */
  stop(): Promise<void>
}

interface Server {
  pid: number
  exited: Promise<void>
  /** null when another process started it. */
  child: ChildProcess | null
}

/** Linux allows 107 bytes, macOS 103. */
const maxSocketPathBytes = 103
/** How often a server that fell over is started again before the fault counts as lasting. */
const maxRestarts = 5

const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }

/**
 * Starts a real PostgreSQL in `dir` on a unix socket, or joins the one that runs there, with roles and database made.
 * It dies with this process however that ends, starts again when it falls over, and survives kill -9 at any point.
 */
export async function startEmbeddedPostgres({
  dir,
  settings = {},
  database = 'guildhall',
  log = () => undefined,
}: {
  dir: string
  settings?: Record<string, string | number>
  database?: string
  log?: (line: string) => void
}): Promise<EmbeddedPostgres> {
  const runAs = unprivilegedUser()
  const native = locateBinaries(runAs)
  const home = makeHome(resolve(dir), runAs)
  const place: Place = {
    native,
    runAs,
    home,
    data: join(home, 'data'),
    socketDir: makeSocketDir(home, runAs),
    settings: { max_connections: 100, shared_buffers: '64MB', ...settings },
    log,
  }
  initialise(place)

  let server = await startOrAdopt(place)
  const adopted = server.child === null
  let stopping = false
  // Keeps a server under us: when it dies, or when the process dies that owned the one we joined, we start our own.
  const watch = async () => {
    for (let failures = 0; ;) {
      await server.exited
      if (stopping) return
      if (failures > 0) await sleep(200 * failures)
      log('PostgreSQL ended unexpectedly, starting it again')
      try {
        server = await startOrAdopt(place)
        failures = 0
      } catch (error) {
        failures += 1
        log(String(error))
        if (failures >= maxRestarts) return
        server = { ...server, exited: Promise.resolve() }
      }
    }
  }
  const watching = watch()

  const adminUrl = socketUrl(place.socketDir, 'postgres', database)
  const urls = await prepareServer(adminUrl, { withPasswords: false })
  return {
    ...urls,
    adminUrl,
    adopted,
    pid: () => server.pid,
    async stop() {
      stopping = true
      if (!server.child) return
      await quiet(adminUrl)
      server.child.stdin?.end()
      await watching
    },
  }
}

/** A pool says that it ended before its connections have: waits until the server has seen them all go. */
async function quiet(adminUrl: string) {
  const others = "select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
  const waitForOthers = async (client: pg.Client) => {
    for (let tries = 0; tries < 50; tries += 1) {
      if ((await client.query(others)).rowCount === 0) return
      await sleep(20)
    }
  }
  // A server that is gone already has nobody to wait for.
  await withClient(adminUrl, waitForOthers).catch(() => undefined)
}

interface Place {
  native: string
  runAs: RunAs
  home: string
  data: string
  socketDir: string
  settings: Record<string, string | number>
  log: (line: string) => void
}

const socketUrl = (socketDir: string, user: string, database: string) =>
  `postgres://${user}@localhost:5432/${database}?host=${encodeURIComponent(socketDir)}`

/** The folder itself, or what it links to when the server's user could not reach it (a clone under /root). */
function makeHome(dir: string, runAs: RunAs): string {
  const asRoot = runAs.uid !== undefined
  // Others may pass through the data folder of a root-started server (its user must), never list it.
  mkdirSync(dirname(dir), { recursive: true, mode: asRoot ? 0o711 : 0o700 })
  const isNew = !lstatSync(dir, { throwIfNoEntry: false })
  // A data folder that is closed (mkdtemp makes them so) is opened that far too; below a closed one nothing helps.
  if (asRoot && !canReach(dirname(dir), runAs)) chmodSync(dirname(dir), statSync(dirname(dir)).mode | 0o011)
  if (asRoot && isNew && !canReach(dirname(dir), runAs)) {
    mkdirSync(rootState, { recursive: true, mode: 0o755 })
    symlinkSync(join(rootState, `data-${shortHash(dir)}`), dir)
  }
  const target = lstatSync(dir, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(dir) : dir
  mkdirSync(target, { recursive: true, mode: 0o700 })
  const home = realpathSync(dir)
  own(home, runAs)
  if (asRoot && !canReach(home, runAs)) {
    throw new Error(`User ${runAs.uid}, who runs PostgreSQL for root, cannot reach ${home}: move DATA_DIR`)
  }
  return home
}

/** Asked by a shell of that user: the `cwd` option of spawn is entered before the user changes. */
const canReach = (dir: string, runAs: RunAs) =>
  spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', dir], { ...runAs, cwd: '/' }).status === 0

function makeSocketDir(home: string, runAs: RunAs): string {
  const beside = join(home, 'run')
  const fits = Buffer.byteLength(join(beside, '.s.PGSQL.5432')) <= maxSocketPathBytes
  const socketDir = fits ? beside : join(tmpdir(), `guildhall-${shortHash(home)}`)
  mkdirSync(socketDir, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(socketDir)
  const mine = uid === process.getuid?.() || uid === runAs.uid
  if (!mine || (mode & 0o077) !== 0) throw new Error(`${socketDir} belongs to somebody else: remove it`)
  own(socketDir, runAs)
  return socketDir
}

function own(dir: string, { uid, gid }: RunAs) {
  if (uid !== undefined && gid !== undefined) chownSync(dir, uid, gid)
}

const shortHash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** initdb into a folder aside, then a rename: a crash in the middle leaves nothing half-made. */
function initialise({ native, runAs, home, data }: Place) {
  if (existsSync(join(data, 'PG_VERSION'))) return
  const aside = `${data}.new-${process.pid}`
  rmSync(aside, { recursive: true, force: true })
  const flags = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-instructions']
  const result = spawnSync(join(native, 'bin/initdb'), ['-D', aside, ...flags], {
    ...runAs,
    env,
    cwd: home,
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(`initdb failed: ${result.error?.message ?? result.stderr.trim()}`)
  try {
    renameSync(aside, data)
  } catch (error) {
    rmSync(aside, { recursive: true, force: true })
    // Another process was faster; its cluster is as good as ours.
    if (!existsSync(join(data, 'PG_VERSION'))) throw error
  }
}

async function startOrAdopt(place: Place): Promise<Server> {
  const { data, socketDir, log } = place
  const pidFile = join(data, 'postmaster.pid')
  let reason = ''
  for (let attempt = 0; attempt < 8; attempt += 1) {
    if (attempt > 0) await sleep(100 * attempt)
    const pid = postmasterOf(pidFile, data)
    if (pid !== null) {
      // It may be just starting or just ending: only one that answers is joined.
      const answers = await withClient(socketUrl(socketDir, 'postgres', 'postgres'), (client) =>
        client.query('select 1'),
      ).catch((error: Error) => error)
      if (!(answers instanceof Error)) return { pid, child: null, exited: waitForExit(pid) }
      reason = answers.message
      continue
    }
    if (existsSync(pidFile)) {
      log('a stale postmaster.pid was removed')
      rmSync(pidFile, { force: true })
    }
    const started = await launch(place)
    if ('pid' in started) return started
    reason = started.reason
  }
  throw new Error(`PostgreSQL did not start in ${data}: ${reason.trim()}`)
}

/** The pid in the file when it really is a live postmaster of this folder: pids are reused, zombies linger. */
function postmasterOf(pidFile: string, data: string): number | null {
  if (!existsSync(pidFile)) return null
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  const process = pid > 0 ? describe(pid) : null
  return process && !process.state.startsWith('Z') && process.command.includes(data) ? pid : null
}

function describe(pid: number): { state: string; command: string } | null {
  if (existsSync('/proc/self/stat')) {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? 'Z'
      return { state, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }
    } catch {
      return null // gone
    }
  }
  const { stdout } = spawnSync('ps', ['-o', 'stat=,command=', '-p', String(pid)], { encoding: 'utf8' })
  const [, state, command] = /^\s*(\S+)\s+(.*)/.exec(stdout) ?? []
  return state && command ? { state, command } : null
}

async function waitForExit(pid: number) {
  const isAlive = () => {
    const found = describe(pid)
    return found !== null && !found.state.startsWith('Z')
  }
  while (isAlive()) await sleep(250, undefined, { ref: false })
}

/**
 * The shell is the watchdog: when our end of its stdin closes, because we ended in any way, it stops PostgreSQL with
 * a fast shutdown.
 */
const watchdog = `
  exec 3<&0
  "$@" </dev/null 3<&- &
  server=$!
  (read -r _ <&3; kill -INT $server) >/dev/null 2>&1 &
  reader=$!
  wait $server; code=$?
  kill $reader 2>/dev/null
  exit $code`

async function launch(place: Place): Promise<Server | { reason: string }> {
  const { native, runAs, home, data, socketDir, settings } = place
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = [join(native, 'bin/postgres'), '-D', data, '-k', socketDir, '-h', '', ...options]
  // Detached: Ctrl-C in the terminal must reach us, not the server before us.
  const child = spawn('/bin/sh', ['-c', watchdog, 'guildhall-postgres', ...command], {
    ...runAs,
    env,
    cwd: home,
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  })
  child.stdin.on('error', () => undefined) // it ended first; `exited` tells
  let tail = ''
  const isUp = await new Promise<boolean>((settle) => {
    child.stderr.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-2_000)
      if (tail.includes('ready to accept connections')) settle(true)
    })
    child.on('error', (error) => {
      tail += error.message
      settle(false)
    })
    child.on('exit', () => settle(false))
  })
  if (!isUp) return { reason: tail }
  const exited = new Promise<void>((settle) => child.on('exit', () => settle()))
  const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
  return { pid, child, exited }
}
