import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import Docker from 'dockerode'
import { expect, test } from 'vitest'
import { createLog } from '../../platform/log.ts'
import { createSandboxImage } from './image.ts'

const run = promisify(execFile)
const docker = new Docker()
const log = createLog({ level: 'silent' })
const hasImage = async (name: string) => (await docker.listImages({ filters: { reference: [name] } })).length > 0
const imageOf = (image: string) => createSandboxImage({ hasImage, dockerHost: null, image, baseImage: null, log })
// The first build on a machine takes a minute or two.
const timeout = 900_000

async function inside(image: string, command: string): Promise<string> {
  const output = new PassThrough()
  const said = text(output)
  const [, container] = (await docker.run(image, ['sh', '-c', command], output, {
    Tty: true,
    Labels: { 'guildhall.test': '1' },
    HostConfig: { NetworkMode: 'none' },
  })) as [unknown, Docker.Container]
  await container.remove({ force: true })
  return (await said).replaceAll('\r', '').trim()
}

test('the image is there once it was asked for, by however many at once', { timeout }, async () => {
  const image = imageOf('guildhall-sandbox')
  const names = await Promise.all([image.ensure(), image.ensure(), imageOf('guildhall-sandbox').ensure()])
  expect(new Set(names).size).toBe(1)
  expect(names[0]).toMatch(/^guildhall-sandbox:[0-9a-f]{12}$/)
  expect(image.state()).toMatchObject({ status: 'ready', name: names[0], error: null })
  expect(await docker.getImage(names[0]!).inspect()).toMatchObject({ Config: { WorkingDir: '/workspace' } })
})

test('what a project needs is in it, and nothing of the machine it was built on', { timeout }, async () => {
  const name = await imageOf('guildhall-sandbox').ensure()
  const facts = [
    'id -u',
    'whoami',
    'node -v | cut -d. -f1',
    'python3.11 -V | cut -d. -f1,2',
    'for tool in git rg npm npx pip gcc make socat sqlite3 curl less nano ps; do command -v $tool >/dev/null || echo $tool is missing; done',
    'npm config get registry',
    'getent passwd 20999 | cut -d: -f1,6',
    'touch /usr/x 2>/dev/null && echo could write to the system',
    'cat /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/99host 2>/dev/null',
  ]
  expect((await inside(name, facts.join('; '))).split('\n')).toEqual([
    '20000',
    's20000',
    'v24',
    'Python 3.11',
    'http://127.0.0.1:4873/',
    's20999:/workspace/.home',
  ])
})

test(
  'an image of the operator is used as it is, and its absence is said instead of built away',
  { timeout: 30_000 },
  async () => {
    const image = imageOf('guildhall-test-none:1')
    await expect(image.ensure()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('none:1'),
    })
    expect(image.state().status).toBe('failed')
  },
)

test('the name changes with the base', { timeout: 30_000 }, async () => {
  const script = fileURLToPath(new URL('../../../../infrastructure/sandbox/build.sh', import.meta.url))
  const nameWith = async (env: NodeJS.ProcessEnv) => {
    return (await run('sh', [script, '--name'], { env: { ...process.env, ...env } })).stdout
  }
  const [one, same, other] = [await nameWith({}), await nameWith({}), await nameWith({ SANDBOX_BASE_IMAGE: 'x' })]
  expect([one === same, one === other]).toEqual([true, false])
})
