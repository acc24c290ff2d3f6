import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { openSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import { AppError } from '../../../platform/errors.ts'
import type { SandboxDriver, SlotTruth } from '../driver.ts'

const readyWithinMs = 10_000
const stopWithinMs = 4_000
/** A supervisor whose platform died without a word ends by itself when nobody comes back. */
const idleExitS = 15 * 60

/**
 * Sandboxes without isolation: the same supervisor as a child process of this machine, with a folder for its volume.
 * Code in it can do whatever the user of this process can. Only by explicit consent (ENGINE=local) and on loopback.
 * The supervisor lives on when the platform dies and is found again by its sockets.
 */
export function createLocalDriver({
  dataDir,
  npmRegistry,
}: {
  dataDir: string
  npmRegistry?: string | null | undefined
}): SandboxDriver {
  const home = resolve(dataDir, 'local')
  // Socket paths end at about 100 bytes, data folders do not: the sockets live in the system's temporary folder.
  const runHome = join(tmpdir(), `guildhall-${createHash('sha256').update(home).digest('hex').slice(0, 10)}`)
  const folderOf = (slotId: SlotId) => join(home, slotId)
  const rootOf = (slotId: SlotId) => join(folderOf(slotId), 'workspace')
  const runOf = (slotId: SlotId) => join(runHome, slotId.replaceAll('-', '').slice(-16))
  const pidFileOf = (slotId: SlotId) => join(folderOf(slotId), 'supervisor.pid')
  const supervisor = createRequire(import.meta.url).resolve('@guildhall/supervisor/main.ts')
  const listeners = new Set<() => void>()
  const started = new Set<SlotId>()

  const answers = (slotId: SlotId) =>
    connect(join(runOf(slotId), 'ctl.sock')).then(
      (socket) => {
        socket.destroy()
        return true
      },
      () => false,
    )

  async function inspect(slotId: SlotId): Promise<SlotTruth | null> {
    const found = await stat(pidFileOf(slotId)).catch(() => null)
    if (!found) return (await exists(folderOf(slotId))) ? truth(slotId, 'absent') : null
    return (await answers(slotId)) ? truth(slotId, 'running', found.mtime) : truth(slotId, 'stopped')
  }

  async function stop(slotId: SlotId): Promise<void> {
    const pid = Number(await readFile(pidFileOf(slotId), 'utf8').catch(() => ''))
    // Only a pid whose sockets still answer is ours for certain; numbers are used again.
    if (!(pid > 1) || !(await answers(slotId))) return
    signal(pid, 'SIGTERM')
    for (const until = Date.now() + stopWithinMs; Date.now() < until; await sleep(50)) {
      if (!isAlive(pid) || !(await answers(slotId))) return
    }
    signal(pid, 'SIGKILL')
  }

  return {
    name: 'local',
    isolated: false,
    rootOf,
    inspect,
    stop,
    async check() {
      await mkdir(home, { recursive: true })
    },
    hasImage: async () => true,
    identity: async () => 'local processes',
    async create({ slotId }) {
      await mkdir(rootOf(slotId), { recursive: true })
      await mkdir(runHome, { recursive: true, mode: 0o700 })
      await writeFile(pidFileOf(slotId), '', { flag: 'a' })
    },
    async start(slotId) {
      if (await answers(slotId)) return
      const root = rootOf(slotId)
      const log = openSync(join(folderOf(slotId), 'supervisor.log'), 'a')
      const doors = ['--mirror-port', '0', '--proxy-port', '0', '--idle-exit-s', String(idleExitS)]
      const child = spawn(process.execPath, [supervisor, '--root', root, '--run', runOf(slotId), ...doors], {
        cwd: root,
        // Nothing of the platform's own environment goes in: it holds keys.
        env: {
          HOME: join(root, '.home'),
          PATH: [join(root, '.home/.local/bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
          LANG: 'C.UTF-8',
          npm_config_audit: 'false',
          npm_config_fund: 'false',
          npm_config_update_notifier: 'false',
          ...(npmRegistry ? { npm_config_registry: npmRegistry } : {}),
        },
        stdio: ['ignore', log, log],
        detached: true,
      })
      started.add(slotId)
      child.unref()
      child.on('exit', () => {
        for (const listener of listeners) listener()
      })
      await writeFile(pidFileOf(slotId), String(child.pid))
      for (const until = Date.now() + readyWithinMs; Date.now() < until; await sleep(20)) {
        if (await answers(slotId)) return
      }
      throw new AppError('unavailable', 'The supervisor of the sandbox did not come up')
    },
    async removeContainer(slotId) {
      await stop(slotId)
      await rm(pidFileOf(slotId), { force: true })
    },
    async remove(slotId) {
      await stop(slotId)
      started.delete(slotId)
      await rm(runOf(slotId), { recursive: true, force: true })
      await rm(folderOf(slotId), { recursive: true, force: true, maxRetries: 5 })
    },
    async openBridge(slotId, door) {
      try {
        return await connect(join(runOf(slotId), `${door}.sock`))
      } catch (error) {
        throw new AppError('unavailable', 'The sandbox does not run', { cause: error })
      }
    },
    async list() {
      const names = await readdir(home).catch(() => [])
      const found = await Promise.all(names.map((name) => inspect(name as SlotId)))
      return found.filter((slot) => slot !== null)
    },
    async tidy() {
      // Nothing but the supervisor itself is ever started.
    },
    async logs(slotId, { tail }) {
      const text = await readFile(join(folderOf(slotId), 'supervisor.log'), 'utf8').catch(() => '')
      return text.trimEnd().split('\n').slice(-tail)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    /** What this process started ends with it in order; only a crash leaves supervisors to be found again. */
    async close() {
      listeners.clear()
      await Promise.all([...started].map(stop))
    },
  }
}

const truth = (slotId: SlotId, state: SlotTruth['state'], startedAt: Date | null = null): SlotTruth => ({
  slotId,
  state,
  startedAt,
  exitCode: null,
  wasOutOfMemory: false,
})

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

async function connect(path: string): Promise<net.Socket> {
  const socket = net.connect(path)
  await new Promise<void>((done, fail) => {
    socket.once('connect', done)
    socket.once('error', fail)
  })
  socket.removeAllListeners('error')
  return socket
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
