import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../../testing/database.ts'
import { engineHere, freshSandboxes, type TestSandboxes } from '../../../testing/docker.ts'
import { freshProject, freshUser } from '../../../testing/world.ts'
import { defaultLimits } from '../lifecycle.ts'
import { asScript, comforts, readAnswers, walls } from '../self-test/facts.ts'
import type { SandboxSession } from '../session/session.ts'
import { findEngine } from './engine.ts'

let database: TestDatabase
let world: TestSandboxes
let docker: Docker
let projectId: ProjectId
let session: SandboxSession
let container: Docker.ContainerInspectInfo
let uid: number

const GiB = 1024 ** 3
const shell = async (command: string) => {
  const { stdout, stderr, exitCode } = await session.exec({ argv: ['bash', '-c', command], timeoutMs: 60_000 })
  return { said: stdout.toString('utf8').trim(), complained: stderr.toString('utf8').trim(), exitCode }
}
const said = async (command: string) => (await shell(command)).said

beforeAll(async () => {
  database = await freshDatabase()
  docker = await engineHere()
  world = await freshSandboxes(database.db)
  projectId = await freshProject(database.db, await freshUser(database.db))
  session = await world.sandbox.session(projectId)
  const slots = await database.db.system((tx) =>
    tx.execute<{ id: string; uid: number }>('select id, uid from containers'),
  )
  uid = slots.rows[0]!.uid
  container = await docker.getContainer(`guildhall-${slots.rows[0]!.id}`).inspect()
}, 300_000)
afterAll(async () => {
  await world.close()
  await database.close()
})

describe('what the engine was told', () => {
  test('every wall, and every limit', () => {
    const { HostConfig, Config, Mounts } = container
    expect(HostConfig).toMatchObject({
      Privileged: false,
      CapDrop: ['ALL'],
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      SecurityOpt: ['no-new-privileges:true'],
      PublishAllPorts: false,
      Memory: 4 * GiB,
      MemorySwap: 4 * GiB,
      PidsLimit: 1_024,
      NanoCpus: 2e9,
      CpuShares: 128,
      OomScoreAdj: 500,
      Init: true,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'local', Config: { 'max-size': '10m', 'max-file': '2' } },
    })
    expect([
      HostConfig.CapAdd ?? [],
      HostConfig.Devices ?? [],
      HostConfig.Binds ?? [],
      HostConfig.VolumesFrom ?? [],
    ]).toEqual([[], [], [], []])
    expect([HostConfig.UsernsMode, HostConfig.PidMode]).toEqual(['', ''])
    expect(Object.keys(HostConfig.PortBindings ?? {})).toEqual([])
    expect(Mounts.map(({ Type, Destination }) => [Type, Destination])).toEqual([['volume', '/workspace']])
    expect(Config.User).toMatch(/^20\d{3}:20\d{3}$/)
    expect(Config.Labels).toMatchObject({ 'guildhall.test': '1', 'guildhall.instance': expect.any(String) })
  })

  test('no secret of ours is in its environment', () => {
    const names = container.Config.Env.map((entry) => entry.split('=')[0])
    expect(names.filter((name) => /KEY|SECRET|TOKEN|PASSWORD|DATABASE|REDIS|JWT/.test(name!))).toEqual([])
  })
})

describe('what code inside can see', () => {
  // The list is the one that the gate before the first sandbox reads; there only the slot's own numbers differ.
  const facts = [...walls({ uid: 20_000, limits: defaultLimits }), ...comforts]
  test.each(facts.map(({ name }) => name))('%s', async (name) => {
    const fact = [...walls({ uid, limits: defaultLimits }), ...comforts].find((one) => one.name === name)!
    expect(await said(fact.command)).toBe(fact.expected)
  })

  test('and all of it in one script, as the gate asks', async () => {
    const facts = walls({ uid, limits: defaultLimits })
    const answers = readAnswers(facts, await said(asScript(facts)))
    expect(answers.filter(({ fact, said }) => said !== fact.expected)).toEqual([])
    expect(facts.length).toBeGreaterThanOrEqual(30)
  })
})

test('nothing outside can be reached: no address, no name, no datagram', async () => {
  const targets = [
    '172.17.0.1:22',
    '169.254.169.254:80',
    '10.0.0.1:80',
    '192.168.0.1:80',
    '1.1.1.1:443',
    '[::ffff:127.0.0.2]:5432',
    '[fe80::1]:80',
    '[2606:4700::1]:443',
  ]
  const program = `
    const net = require('net'), dns = require('dns'), dgram = require('dgram')
    const tcp = (target) => new Promise((done) => { const [, host, port] = target.match(/^\\[?(.*?)\\]?:(\\d+)$/)
      const s = net.connect({ host, port: +port, timeout: 1500 }, () => done('CONNECTED ' + target)); s.on('error', () => done(null)); s.on('timeout', () => { s.destroy(); done(null) }) })
    const name = (host) => new Promise((done) => dns.lookup(host, (error, address) => done(error ? null : 'RESOLVED ' + address)))
    const raw = () => new Promise((done) => { const r = new dns.Resolver({ timeout: 500, tries: 1 }); r.setServers(['8.8.8.8']); r.resolve4('example.org', (error) => done(error ? null : 'ASKED')) })
    const udp = () => new Promise((done) => { const s = dgram.createSocket('udp4'); s.on('error', () => done(null)); s.send('x', 53, '8.8.8.8', (error) => { s.close(); done(error ? null : 'SENT') }) })
    Promise.all([...${JSON.stringify(targets)}.map(tcp), name('example.org'), name('host.docker.internal'), raw(), udp()]).then((found) => console.log(JSON.stringify(found.filter(Boolean))))`
  const { stdout } = await session.exec({ argv: ['node', '-e', program], timeoutMs: 20_000 })
  expect(JSON.parse(stdout.toString())).toEqual([])
}, 40_000)

test('a fork bomb meets its limit and the sandbox still answers', async () => {
  const bomb = `
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError:
    print('stopped at', 'the limit' if 900 < count < 1024 else count, flush=True)
    time.sleep(60)`
  const outcome = await session.exec({ argv: ['python3', '-c', bomb], timeoutMs: 8_000 })
  expect(outcome).toMatchObject({ timedOut: true })
  expect(outcome.stdout.toString()).toBe('stopped at the limit\n')
  expect((await shell('echo alive')).said).toBe('alive')
}, 40_000)

test('what eats all memory is killed, and the supervisor is not', async () => {
  const hog = await session.exec({
    argv: ['python3', '-c', 'x=[]\nwhile True: x.append(bytearray(64<<20))'],
    timeoutMs: 60_000,
  })
  expect([hog.signal, hog.exitCode]).toEqual(['SIGKILL', null])
  expect(await world.sandbox.get({ kind: 'system' }, projectId)).toMatchObject({ state: 'running' })
  expect((await shell('echo alive')).said).toBe('alive')
}, 90_000)

describe('the engine is looked for', () => {
  test('at DOCKER_HOST, then at the docker context, then in OrbStack’s place, then at the default socket', async () => {
    const home = await mkdtemp(join(tmpdir(), 'guildhall-engine-'))
    const listen = async (path: string) => {
      const server = createServer()
      await new Promise<void>((done) => server.listen(path, done))
      return server
    }
    const socket = join(home, 'default.sock')
    const missing = findEngine({ home, socket })
    await expect(missing).rejects.toMatchObject({ code: 'no_engine' })
    const servers = [await listen(socket)]
    expect(await findEngine({ home, socket })).toEqual({ url: `unix://${socket}`, source: 'the default socket' })
    await mkdir(join(home, '.orbstack/run'), { recursive: true })
    servers.push(await listen(join(home, '.orbstack/run/docker.sock')))
    expect((await findEngine({ home, socket })).source).toBe('OrbStack')
    const folder = join(home, '.docker/contexts/meta', createHash('sha256').update('far').digest('hex'))
    await mkdir(folder, { recursive: true })
    await writeFile(join(home, '.docker/config.json'), JSON.stringify({ currentContext: 'far' }))
    await writeFile(join(folder, 'meta.json'), JSON.stringify({ Endpoints: { docker: { Host: 'ssh://me@far' } } }))
    expect(await findEngine({ home, socket })).toEqual({ url: 'ssh://me@far', source: 'docker context far' })
    expect((await findEngine({ dockerHost: 'tcp://named:2375', home, socket })).source).toBe('DOCKER_HOST')
    for (const server of servers) server.close()
    await rm(home, { recursive: true })
  })
})
