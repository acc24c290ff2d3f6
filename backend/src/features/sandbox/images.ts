import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { AppError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import type { SandboxDriver } from './driver.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('../../../../infrastructure/sandbox/build.sh', import.meta.url))

/**
 * The image that sandboxes are made of. A name with a tag is taken as it is; a bare name stands for the image that
 * build.sh makes of exactly these sources, which is built on first use.
 */
export function createImages({
  driver,
  image,
  dockerHost,
  log,
}: {
  driver: SandboxDriver
  image: string
  dockerHost: string | null
  log: Log
}) {
  const isPinned = image.includes(':') || image.includes('@')
  let wanted: Promise<string> | null = null

  async function find(): Promise<string> {
    if (driver.name === 'local') return 'none (local processes)'
    const name = isPinned ? image : await build(['--name'])
    if (await driver.hasImage(name)) return name
    if (isPinned) throw new AppError('unavailable', `The sandbox image ${name} is not there; pull it or build it first`)
    log.info({ image: name }, 'building the sandbox image; this takes a minute or two once')
    return build([])
  }

  async function build(args: string[]): Promise<string> {
    try {
      const env = { ...process.env, SANDBOX_IMAGE: image, ...(dockerHost ? { DOCKER_HOST: dockerHost } : {}) }
      const { stdout } = await run('sh', [script, ...args], { env, maxBuffer: 64 * 1024 * 1024 })
      const name = stdout.trim().split('\n').at(-1)
      if (!name) throw new Error('it printed no name')
      return name
    } catch (error) {
      const said = String((error as { stderr?: unknown }).stderr ?? (error as Error).message)
      const tail = said.trim().split('\n').slice(-5).join('\n')
      throw new AppError('unavailable', `The sandbox image could not be built: ${tail}`, { cause: error })
    }
  }

  /** Its name, once it is there. Callers at the same time share one build; a failed one is tried again. */
  return function imageName(): Promise<string> {
    return (wanted ??= find().catch((error: unknown) => {
      wanted = null
      throw error
    }))
  }
}
