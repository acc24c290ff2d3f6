import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import net from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { World } from './calls.ts'
import { Claims } from './claims.ts'
import { DiskWatch } from './disk.ts'
import { Egress } from './egress.ts'
import { Files } from './files.ts'
import { Processes } from './processes.ts'
import { Results } from './results.ts'
import { createControlServer } from './server.ts'
import { Terminals } from './terminals.ts'

/**
 * The supervisor of a sandbox: everything between the platform and what runs in here passes it. It listens on two unix
 * sockets (ctl.sock for calls, egress.sock for the keeper) and two loopback ports (registry mirror, HTTP proxy); port 0
 * leaves a door away. It knows nothing of the platform and keeps its processes when a bridge goes.
 */
const { values } = parseArgs({
  options: {
    root: { type: 'string', default: '/workspace' },
    run: { type: 'string', default: '/run/guildhall' },
    'mirror-port': { type: 'string', default: '4873' },
    'proxy-port': { type: 'string', default: '3128' },
    'idle-exit-s': { type: 'string', default: '0' },
  },
})

process.umask(0o022)
const root = resolve(values.root)
const baseEnv = environment()
mkdirSync(values.run, { recursive: true, mode: 0o700 })
chmodSync(values.run, 0o700)
if (baseEnv['HOME']) mkdirSync(baseEnv['HOME'], { recursive: true })

// Node starts its threads with the first such call and dies when it cannot: later a fork bomb may have taken every pid.
await stat(root)

const world: World = {
  root,
  baseEnv,
  claims: new Claims(),
  disk: new DiskWatch(root, () => signalAll('SIGKILL')),
  files: new Files(root),
  processes: new Processes(baseEnv),
  results: new Results(),
  terminals: new Terminals(baseEnv),
  running: new Set(),
}

const idleExitMs = Number(values['idle-exit-s']) * 1000
let idle: NodeJS.Timeout | null = null
const onSessions = (count: number) => {
  if (idle) clearTimeout(idle)
  idle = count === 0 && idleExitMs > 0 ? setTimeout(() => void end(), idleExitMs) : null
}
onSessions(0)

const egress = new Egress()
const mirrorPort = Number(values['mirror-port'])
const proxyPort = Number(values['proxy-port'])
if (mirrorPort > 0) egress.listenMirror(mirrorPort)
if (proxyPort > 0) egress.listenProxy(proxyPort)
await listenOnSocket(
  net.createServer((socket) => egress.adopt(socket)),
  join(values.run, 'egress.sock'),
)
await listenOnSocket(createControlServer(world, onSessions), join(values.run, 'ctl.sock'))
process.stdout.write('supervisor ready\n')

process.on('SIGTERM', () => void end())
process.on('SIGINT', () => void end())

async function listenOnSocket(server: net.Server, path: string): Promise<void> {
  rmSync(path, { force: true })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(path, done)
  })
  chmodSync(path, 0o600)
}

/** What children inherit: our own environment, without what only this program is meant to see. */
function environment(): Record<string, string> {
  const inherited: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith('GUILDHALL_')) inherited[name] = value
  }
  return inherited
}

function signalAll(signal: 'SIGTERM' | 'SIGKILL'): void {
  for (const run of world.running) run.kill(signal)
  world.processes.signalAll(signal)
  world.terminals.signalAll(signal === 'SIGTERM' ? 'SIGHUP' : signal)
}

/** Asks everything to end, then insists. */
async function end(): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    signalAll(signal)
    if (signal === 'SIGTERM') await new Promise((done) => setTimeout(done, 1_000))
  }
  process.exit(0)
}
