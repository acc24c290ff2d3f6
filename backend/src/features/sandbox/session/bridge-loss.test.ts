import { randomBytes } from 'node:crypto'
import http2 from 'node:http2'
import net from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../../platform/ids.ts'
import { freshLocalSandbox } from '../../../testing/sandbox.ts'
import { attachTerminal } from './attach.ts'
import { Pty, PtyOpened } from './messages.ts'
import { openSession, type OpenSession } from './session.ts'
import type { TerminalId } from '@guildhall/protocol/ids.ts'

const shell = (command: string) => ['sh', '-c', command]
let sandbox: Awaited<ReturnType<typeof freshLocalSandbox>>
/** Sessions of other processes, and their bridges to cut. */
let opened: { session: OpenSession; bridges: Duplex[] }[] = []

beforeAll(async () => {
  sandbox = await freshLocalSandbox()
})
afterAll(async () => {
  for (const { session } of opened) session.close()
  opened = []
  await sandbox.close()
})

function anotherProcess(): { session: OpenSession; bridges: Duplex[]; cut: () => void } {
  const bridges: Duplex[] = []
  const session = openSession({
    openBridge: async () => {
      const bridge = await sandbox.openBridge()
      bridges.push(bridge)
      return bridge
    },
    root: sandbox.root,
  })
  opened.push({ session, bridges })
  return { session, bridges, cut: () => bridges.at(-1)!.destroy() }
}
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const stepOf = () => ({ runId: newId<string>(), epoch: 1, stepId: newId<string>() })

describe('when the bridge breaks', () => {
  test('a step goes on, its caller gets the outcome over the next bridge, and it ran once', async () => {
    const { session, bridges, cut } = anotherProcess()
    const argv = shell('echo begin >> /workspace/once; sleep 0.6; echo end >> /workspace/once; echo result')
    const outcome = session.exec({ argv, step: stepOf() })
    await expect.poll(() => session.readFile('/workspace/once')).not.toBeNull()
    cut()
    expect((await outcome).stdout.toString()).toBe('result\n')
    expect(bridges.length).toBeGreaterThan(1)
    expect((await session.readFile('/workspace/once'))!.bytes.toString()).toBe('begin\nend\n')
  })

  test('and the process dies with it, another process finds the result by its step', async () => {
    const first = anotherProcess()
    const step = stepOf()
    const lost = first.session.exec({ argv: shell('sleep 0.5; echo late; exit 4'), step })
    lost.catch(() => undefined)
    await sleep(150)
    first.session.close()
    const { session } = anotherProcess()
    expect(await session.result(step)).toBe('running')
    await expect.poll(() => session.result(step), { timeout: 3_000 }).toMatchObject({ exitCode: 4 })
    const found = await session.result(step)
    expect(typeof found === 'object' && found.stdout.toString()).toBe('late\n')
    await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('a command without a step ends, since nobody could ask for it any more', async () => {
    const { session, cut } = anotherProcess()
    const lost = session.exec({ argv: shell('echo $$ > /workspace/orphan; exec sleep 300') })
    lost.catch(() => undefined)
    await expect.poll(() => session.readFile('/workspace/orphan')).not.toBeNull()
    const pid = Number((await session.readFile('/workspace/orphan'))!.bytes.toString())
    cut()
    await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
    await expect.poll(() => isAlive(pid), { timeout: 4_000 }).toBe(false)
  })

  test('files, named processes and listeners go on', async () => {
    const { session, cut } = anotherProcess()
    const heard: string[] = []
    const argv = shell('i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done')
    await session.startProcess('clock', { argv, cwd: '/workspace' })
    const stop = session.onProcess('clock', (chunk) => heard.push(chunk.toString()))
    await expect.poll(() => heard.length).toBeGreaterThan(1)
    cut()
    const before = heard.length
    await expect.poll(() => heard.length, { timeout: 3_000 }).toBeGreaterThan(before + 2)
    await session.writeFile('/workspace/after', Buffer.from('x'))
    expect(await session.process('clock')).toMatchObject({ state: 'running' })
    stop()
    await session.stopProcess('clock')
  })

  test('a terminal stays, nothing it said is lost or doubled, and keys pressed meanwhile arrive', async () => {
    const { session, cut } = anotherProcess()
    const id = newId<TerminalId>()
    const call = { id, label: '{}', cwd: sandbox.root, env: { PS1: '$ ' }, cols: 80, rows: 24, shell: '/bin/sh' }
    expect(Pty.safeParse((await session.connection.ask('pty-open', call, PtyOpened)).pty).success).toBe(true)
    const terminal = await attachTerminal(session.connection, id)
    let said = ''
    terminal.onData((bytes) => (said += bytes.toString()))
    terminal.write(
      Buffer.from('i=0; while [ $i -lt 40 ]; do echo line-$i-; i=$((i+1)); sleep 0.03; done; read x; echo got-$x-\n'),
    )
    await expect.poll(() => said).toContain('line-5-')
    cut()
    await sleep(50)
    terminal.write(Buffer.from('hello\n'))
    await expect.poll(() => said, { timeout: 5_000 }).toContain('got-hello-')
    const lines = [...said.matchAll(/line-(\d+)-\r/g)].map(([, index]) => Number(index))
    expect(lines).toEqual(Array.from({ length: 40 }, (_, index) => index))
    terminal.write(Buffer.from('exit 5\n'))
    expect(await new Promise((done) => terminal.onExit(done))).toBe(5)
  })
})

test('bulk in both directions at once does not lock up', async () => {
  const server = net.createServer((socket) => socket.pipe(socket))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { session } = anotherProcess()
  const body = randomBytes(20_000_000)
  const echoes = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const socket = await session.dial((server.address() as net.AddressInfo).port)
      socket.end(body)
      const chunks: Buffer[] = []
      for await (const chunk of socket) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks).equals(body)
    }),
  )
  expect(echoes).toEqual([true, true, true])
  server.close()
})

describe('a supervisor that lies', () => {
  const seed = randomBytes(4).readUInt32BE()
  test(`garbage in its place is refused in time and crashes nothing (seed ${seed})`, async () => {
    let state = seed
    const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
    const preface = Buffer.from('000000040000000000', 'hex')
    for (let round = 0; round < 40; round++) {
      const session = openSession({
        openBridge: async () => {
          const [here, there] = duplexPair()
          // Sometimes a polite beginning, then noise, a flood, or a sudden end.
          if (random() < 0.5) there.write(preface)
          const noise = Buffer.from(
            Array.from({ length: Math.floor(random() * 3_000) }, () => Math.floor(random() * 256)),
          )
          setTimeout(() => {
            there.write(noise)
            if (random() < 0.7) there.end()
          }, random() * 20)
          there.resume()
          if (random() > 0.7) setTimeout(() => there.destroy(), 60)
          return here
        },
        root: '/workspace',
      })
      const late = setTimeout(() => session.close(), 300)
      const calls = [session.exec({ argv: ['true'] }), session.readFile('/workspace/x'), session.list('/workspace', 1)]
      const results = await Promise.allSettled(calls)
      clearTimeout(late)
      const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'answered'))
      expect(codes).toEqual(['unavailable', 'unavailable', 'unavailable'])
      session.close()
    }
  })

  test.each([
    ['exit code as text', { exitCode: 'zero', signal: null, timedOut: false, durationMs: 1, leftOutBytes: 0 }],
    ['nothing', {}],
    ['a list', []],
    ['huge numbers', { exitCode: 1e300, signal: null, timedOut: false, durationMs: -1, leftOutBytes: -5 }],
  ])('well-formed frames with %s inside are refused', async (_what, answer) => {
    const session = await lyingSession(() => frame('X', JSON.stringify(answer)))
    await expect(session.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'unavailable' })
    session.close()
  })

  test('frames that announce gigabytes, end early, refuse strangely or never answer are refused', async () => {
    const tooLong = Buffer.from([0x58, 0xff, 0xff, 0xff, 0xff])
    for (const bytes of [
      tooLong,
      frame('X', '{').subarray(0, 4),
      frame('X', 'not json'),
      frame('F', '{"code":"root"}'),
      frame('F', '{"code":"internal","detail":"x"}'),
    ]) {
      const session = await lyingSession(() => bytes)
      await expect(session.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'unavailable' })
      session.close()
    }
  })

  test('a file that never ends is cut at 50 MB', async () => {
    const session = await lyingSession(() =>
      Buffer.concat(Array.from({ length: 60 }, () => frame('D', Buffer.alloc(1 << 20)))),
    )
    await expect(session.readFile('/workspace/x')).rejects.toMatchObject({ code: 'unavailable' })
    session.close()
  })
})

function frame(kind: string, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload as string)
  const head = Buffer.alloc(5)
  head.writeUInt8(kind.charCodeAt(0), 0)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

/** A real HTTP/2 server in the supervisor's place: it greets as it should, and answers everything else with `bytes`. */
async function lyingSession(bytes: () => Buffer): Promise<OpenSession> {
  const session = openSession({
    openBridge: async () => {
      const [here, there] = duplexPair()
      const server = http2.performServerHandshake(there)
      server.on('error', () => server.destroy())
      server.on('stream', (stream, headers) => {
        stream.on('error', () => stream.destroy())
        stream.respond({ ':status': 200 })
        stream.end(headers[':path'] === '/hello' ? frame('X', '{"protocol":1}') : bytes())
        stream.resume()
      })
      return here
    },
    root: '/workspace',
  })
  opened.push({ session, bridges: [] })
  return session
}
