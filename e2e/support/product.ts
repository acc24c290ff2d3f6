import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { instanceOf } from '../../backend/src/features/sandbox/service.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A free loopback port. Taken and given back, so a product can be started on it twice. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a program and waits for the first line of its output that `ready` finds something in. */
async function startProgram(
  args: string[],
  env: Record<string, string>,
  ready: (line: string) => string | undefined,
): Promise<{ child: ChildProcess; found: string; output: () => string }> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const found = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-200_000)
      for (const line of output.split('\n')) {
        const hit = ready(line)
        if (hit !== undefined) resolve(hit)
      }
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('exit', (code) => reject(new Error(`${args[0]} ended with ${code}:\n${output.slice(-4_000)}`)))
    setTimeout(() => reject(new Error(`${args[0]} was not ready in 90 s:\n${output.slice(-4_000)}`)), 90_000).unref()
  })
  return { child, found, output: () => output }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await exited
}

/** The scripted crew on loopback, outside the product so that it outlives a killed one. */
export async function startModel({ delayMs = 0 } = {}) {
  const { child, found } = await startProgram(
    ['e2e/support/model-process.ts', String(delayMs)],
    {},
    (line) => /^model (http:\/\/\S+)/.exec(line)?.[1],
  )
  return { url: found, stop: () => end(child, 'SIGTERM') }
}

/** A product that ends leaves its sandboxes running for the next start; after a test there is none. */
function removeSandboxes(dataDir: string): void {
  const ours = ['--filter', `label=guildhall.instance=${instanceOf(dataDir)}`]
  const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' }).split('\n').filter(Boolean)
  const containers = docker('ps', '-aq', ...ours)
  if (containers.length > 0) docker('rm', '-f', ...containers)
  const volumes = docker('volume', 'ls', '-q', ...ours)
  if (volumes.length > 0) docker('volume', 'rm', ...volumes)
}

/** The whole product as a person starts it, with its embedded defaults, on a data folder of its own. */
export async function startProduct({ modelUrl }: { modelUrl: string }) {
  const dataDir = await mkdtemp(join(tmpdir(), 'gh-'))
  const port = await freePort()
  const env = {
    PORT: String(port),
    DATA_DIR: dataDir,
    REGISTRATION: 'open',
    LOG_LEVEL: 'warn',
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: 'rehearsal',
    MODEL_LABEL: 'Scripted rehearsal',
    DEFAULT_MODEL: 'rehearsal',
  }
  const boot = () =>
    startProgram(['backend/src/entry/all.ts'], env, (line) => (line.includes(`localhost:${port}`) ? line : undefined))
  let running = await boot()
  return {
    url: `http://localhost:${port}`,
    dataDir,
    output: () => running.output(),
    /** kill -9 in the middle of whatever happens, then started again on the same data. */
    async crashAndRestart() {
      await end(running.child, 'SIGKILL')
      running = await boot()
    },
    async stop() {
      await end(running.child, 'SIGTERM')
      removeSandboxes(dataDir)
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
export type Product = Awaited<ReturnType<typeof startProduct>>
