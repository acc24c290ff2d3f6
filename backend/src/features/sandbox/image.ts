import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { AppError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('../../../../infrastructure/sandbox/build.sh', import.meta.url))

export type ImageState = {
  status: 'unknown' | 'building' | 'ready' | 'failed'
  name: string | null
  /** What the build said last, oldest first. */
  lines: string[]
  error: string | null
}

const keptLines = 40
const buildTimeoutMs = 30 * 60_000

/**
 * The image sandboxes are made of. Its name carries a hash of what it is built from, so a changed Dockerfile or
 * supervisor gives a new image at the next start, and an unchanged one is found in milliseconds.
 */
export function createSandboxImage(options: {
  /** Whether the engine has an image of that name: the driver's. */
  hasImage(name: string): Promise<boolean>
  /** The engine's address for the command line, as DOCKER_HOST; null = its own default. */
  dockerHost: string | null
  /** Repository of the image. With a tag or a digest it is the operator's own image: used as it is, never built. */
  image: string
  baseImage: string | null
  log: Log
  onProgress?(line: string): void
}) {
  const { hasImage, dockerHost, image, baseImage, log, onProgress } = options
  const state: ImageState = { status: 'unknown', name: null, lines: [], error: null }
  const isOperators = /[:@][^/]+$/.test(image)
  const env = {
    ...process.env,
    SANDBOX_IMAGE: image,
    ...(baseImage ? { SANDBOX_BASE_IMAGE: baseImage } : {}),
    ...(dockerHost ? { DOCKER_HOST: dockerHost } : {}),
  }
  let underWay: Promise<string> | null = null

  function build(): Promise<void> {
    return new Promise((done, reject) => {
      const child = spawn('sh', [script], { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: buildTimeoutMs })
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (line.trim() === '') return
        state.lines = [...state.lines, line].slice(-keptLines)
        log.info({ line }, 'sandbox image')
        onProgress?.(line)
      })
      child.on('error', reject)
      child.on('close', (code) => {
        if (code === 0) done()
        else reject(new Error(state.lines.at(-1) ?? `the build ended with ${code}`))
      })
    })
  }

  const nameNow = async () => (isOperators ? image : (await run('sh', [script, '--name'], { env })).stdout.trim())

  async function make(): Promise<string> {
    const name = await nameNow()
    state.name = name
    if (!(await hasImage(name))) {
      if (isOperators) throw new Error(`The engine has no image ${name} (SANDBOX_IMAGE)`)
      Object.assign(state, { status: 'building', lines: [], error: null })
      await build()
    }
    state.status = 'ready'
    return name
  }

  return {
    /** Name of the image, built first when it is missing; callers share one build. Throws `unavailable` with the reason. */
    ensure(): Promise<string> {
      if (state.status === 'ready') return Promise.resolve(state.name!)
      underWay ??= make()
        .catch((error: Error) => {
          Object.assign(state, { status: 'failed', error: error.message })
          throw new AppError('unavailable', `The sandbox image cannot be made: ${error.message}`, { cause: error })
        })
        .finally(() => {
          underWay = null
        })
      return underWay
    },
    /** Whether `ensure` would answer without building. */
    isThere: async (): Promise<boolean> => hasImage(await nameNow()),
    /** For the health page and the first screen; `lines` grow while it is built. */
    state: (): Readonly<ImageState> => state,
  }
}
export type SandboxImage = ReturnType<typeof createSandboxImage>
