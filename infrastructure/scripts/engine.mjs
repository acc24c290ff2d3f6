// The container engine: found, started or installed where that is allowed, else named.
import { spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asRoot, canInstall, install, installLine, isDebianLike, isKnown } from './apt.mjs'
import { has, read, say } from './shell.mjs'

/** `{ ok, text }`: where the engine is and its version, or why there is none. Needs the dependencies to be there. */
export async function lookForEngine() {
  const { connectEngine, findEngine, pingEngine } = await import('../../backend/src/features/sandbox/drivers/engine.ts')
  try {
    const address = await findEngine({ dockerHost: process.env.DOCKER_HOST || null })
    const docker = connectEngine(address)
    await pingEngine(docker, address)
    const { Version } = await docker.version()
    return { ok: true, text: `Docker API ${Version} at ${address.url} (${address.source})` }
  } catch (error) {
    return { ok: false, text: error.message }
  }
}

/** Makes sure of an engine as far as this machine lets us, and says what it does. */
export async function ensureEngine() {
  const choice = process.env.ENGINE || 'auto'
  if (choice === 'none') return { ok: false, text: 'none, as ENGINE=none says: everything works but running code' }
  if (choice === 'local') return { ok: true, text: 'local processes WITHOUT isolation, as ENGINE=local says' }
  const found = await lookForEngine()
  if (found.ok || process.env.DOCKER_HOST) return found
  if (process.platform !== 'linux') return { ...found, help: helpFor() }
  if (/EACCES|permission denied/i.test(found.text)) {
    return { ...found, help: 'sudo usermod -aG docker "$USER", then sign in again' }
  }

  if (!has('dockerd')) {
    if (!canInstall()) return { ...found, help: helpFor() }
    say(
      'No container engine was found. Guildhall runs code in containers, so Docker is installed now (ENGINE=none skips).',
    )
    // Newer Debian keeps the command line in a package of its own.
    const commandLine = isKnown('docker-cli') ? ['docker-cli'] : []
    if (!(await install(['docker.io', 'iptables', ...commandLine]))) return { ...found, help: helpFor() }
  }
  if (asRoot() === null) return { ...found, help: 'sudo systemctl start docker' }
  const reason = await startDaemon()
  const started = await lookForEngine()
  return started.ok ? started : { ...started, help: reason ?? helpFor() }
}

/**
 * A daemon that is still going down is waited for; one that was killed left a file with its pid, which would keep the
 * next one from starting.
 */
const startCommand = `
  pid=$(cat /var/run/docker.pid 2>/dev/null)
  runs() { [ -n "$pid" ] && grep -qs dockerd "/proc/$pid/comm"; }
  tries=0
  while runs && [ $tries -lt 20 ]; do sleep 0.5; tries=$((tries + 1)); done
  runs || rm -f /var/run/docker.pid
  exec dockerd`

/**
 * By the system's own means where there are such, else (a container, an image without init) as a process beside us.
 * Answers what it said last when it did not come up.
 */
async function startDaemon() {
  const [command, ...before] = [...asRoot(), 'sh']
  const asService = [...before, '-c', 'test -d /run/systemd/system && systemctl start docker']
  const log = join(tmpdir(), 'guildhall-dockerd.log')
  let hasEnded = false
  if (read(command, asService) === null) {
    say(`Starting dockerd (its log: ${log})`)
    const out = openSync(log, 'w')
    const child = spawn(command, [...before, '-c', startCommand], { detached: true, stdio: ['ignore', out, out] })
    child.on('exit', () => (hasEnded = true))
    child.unref()
  }
  for (let tries = 0; tries < 60 && !hasEnded; tries += 1) {
    if ((await lookForEngine()).ok) return null
    await sleep(500)
  }
  return hasEnded ? `dockerd ended: ${readFileSync(log, 'utf8').trim().split('\n').at(-1)}` : null
}

function helpFor() {
  if (process.platform === 'darwin') return 'brew install orbstack && open -a OrbStack'
  if (isDebianLike()) return `${installLine(['docker.io', 'iptables'])} && sudo usermod -aG docker "$USER"`
  return 'install Docker or Podman from your system, or set DOCKER_HOST'
}
