import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import http from 'node:http'
import type net from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../../platform/ids.ts'
import { freshLocalSandbox } from '../../../testing/sandbox.ts'
import type { OpenSession } from './session.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const shell = (command: string) => ['sh', '-c', command]
const text = (bytes: Buffer) => bytes.toString('utf8')

let sandbox: Awaited<ReturnType<typeof freshLocalSandbox>>
let session: OpenSession
beforeAll(async () => {
  sandbox = await freshLocalSandbox()
  session = sandbox.session
})
afterAll(() => sandbox.close())

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
async function pidIn(path: string): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const found = await session.readFile(path)
    if (found && found.bytes.length > 1) return Number(text(found.bytes))
    await sleep(20)
  }
  throw new Error(`${path} never appeared`)
}
async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 150; tries++) {
    if (!isAlive(pid)) return true
    await sleep(20)
  }
  return false
}

describe('a command', () => {
  test('answers its exit code, both streams, and its time', async () => {
    const outcome = await session.exec({ argv: shell('echo out; echo err >&2; exit 3') })
    expect(outcome).toMatchObject({ exitCode: 3, signal: null, leftOutBytes: 0, timedOut: false })
    expect([text(outcome.stdout), text(outcome.stderr)]).toEqual(['out\n', 'err\n'])
    expect(outcome.durationMs).toBeGreaterThan(0)
  })

  test('gets its input, its environment and its folder', async () => {
    await mkdir(join(sandbox.root, 'here'), { recursive: true })
    const stdin = randomBytes(3_000_000)
    const outcome = await session.exec({
      argv: shell('pwd; echo "$WHO"; sha256sum'),
      cwd: '/workspace/here',
      env: { WHO: 'me' },
      stdin,
    })
    expect(text(outcome.stdout)).toBe(`${sandbox.root}/here\nme\n${sha256(stdin)}  -\n`)
  })

  test('that reads no input is not held up by it', async () => {
    const outcome = await session.exec({ argv: ['true'], stdin: Buffer.alloc(5_000_000) })
    expect(outcome.exitCode).toBe(0)
  })

  test('that does not exist is 127 with a reason, and a missing folder is not_found', async () => {
    const outcome = await session.exec({ argv: ['no-such-program'] })
    expect(outcome.exitCode).toBe(127)
    expect(text(outcome.stderr)).toContain('no-such-program: command not found')
    await expect(session.exec({ argv: ['true'], cwd: '/workspace/nowhere' })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(session.exec({ argv: ['true'], cwd: '/etc' })).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('with 200 MB of output is kept to its head and tail, and says what is missing', async () => {
    const outcome = await session.exec({
      argv: shell('echo first; head -c 200000000 /dev/zero | tr "\\0" x; echo; echo last'),
      maxBytes: 10_000,
    })
    expect(outcome.exitCode).toBe(0)
    const shown = text(outcome.stdout)
    expect(shown.startsWith('first\nxxx')).toBe(true)
    expect(shown.endsWith('\nlast\n')).toBe(true)
    expect(outcome.stdout.length).toBeLessThan(10_100)
    expect(outcome.leftOutBytes).toBe(200_000_000 + 12 - 10_000)
    expect(shown).toContain(`[… ${outcome.leftOutBytes} bytes left out …]`)
  })

  test('streams everything to who listens, in order', async () => {
    const hash = createHash('sha256')
    let bytes = 0
    const outcome = await session.exec({
      argv: shell('seq 1 2000000'),
      maxBytes: 1_000,
      onOutput: (stream, chunk) => {
        expect(stream).toBe('stdout')
        hash.update(chunk)
        bytes += chunk.length
      },
    })
    const expected = Buffer.from(Array.from({ length: 2_000_000 }, (_, index) => `${index + 1}\n`).join(''))
    expect([bytes, hash.digest('hex')]).toEqual([expected.length, sha256(expected)])
    expect(outcome.leftOutBytes).toBe(expected.length - 1_000)
  })

  test('may answer 60 MB when asked to keep them', async () => {
    const outcome = await session.exec({ argv: shell('head -c 60000000 /dev/zero'), maxBytes: 100_000_000 })
    expect([outcome.stdout.length, outcome.leftOutBytes]).toEqual([60_000_000, 0])
  })

  test('past its deadline ends with its whole tree, also what called setsid', async () => {
    const command = 'setsid sleep 300 & echo $! > /workspace/escaped; sleep 300 & echo $! > /workspace/child; wait'
    const outcome = await session.exec({ argv: shell(command), timeoutMs: 400 })
    expect(outcome).toMatchObject({ timedOut: true, exitCode: null, signal: 'SIGTERM' })
    for (const path of ['/workspace/child', '/workspace/escaped']) expect(await gone(await pidIn(path))).toBe(true)
  })

  test('that ignores the polite signal is killed', async () => {
    const outcome = await session.exec({ argv: shell('trap "" TERM; while :; do sleep 1; done'), timeoutMs: 300 })
    expect(outcome).toMatchObject({ timedOut: true, signal: 'SIGKILL' })
  })

  test('that falls silent ends after its quiet time, one that speaks does not', async () => {
    const silent = await session.exec({ argv: shell('echo hi; sleep 30'), quietMs: 300 })
    expect(silent).toMatchObject({ timedOut: true })
    const chatty = await session.exec({ argv: shell('for i in 1 2 3 4 5; do echo $i; sleep 0.15; done'), quietMs: 600 })
    expect(chatty).toMatchObject({ timedOut: false, exitCode: 0 })
  })

  test('is ended by its signal', async () => {
    const stop = new AbortController()
    const outcome = session.exec({ argv: shell('echo $$ > /workspace/aborted; exec sleep 300'), signal: stop.signal })
    const pid = await pidIn('/workspace/aborted')
    stop.abort()
    expect(await outcome).toMatchObject({ signal: 'SIGTERM', timedOut: false })
    expect(await gone(pid)).toBe(true)
  })

  test('with a child in the background answers at once', async () => {
    const outcome = await session.exec({ argv: shell('sleep 20 & echo started') })
    expect(text(outcome.stdout)).toBe('started\n')
    expect(outcome.durationMs).toBeLessThan(2_000)
  })

  test('a hundred at a time all answer', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => session.exec({ argv: ['echo', String(index)] })),
    )
    expect(outcomes.map(({ stdout }) => text(stdout))).toEqual(Array.from({ length: 100 }, (_, index) => `${index}\n`))
  })
})

describe('a step', () => {
  const step = (runId: string, epoch = 1) => ({ runId, epoch, stepId: newId() })

  test('that runs again gives its first outcome and does not run twice', async () => {
    const mine = step(newId())
    const argv = shell('echo once >> /workspace/count; echo done')
    const outcomes = await Promise.all([session.exec({ argv, step: mine }), session.exec({ argv, step: mine })])
    const again = await session.exec({ argv, step: mine })
    expect([...outcomes, again].map(({ stdout }) => text(stdout))).toEqual(['done\n', 'done\n', 'done\n'])
    expect(text((await session.readFile('/workspace/count'))!.bytes)).toBe('once\n')
  })

  test('of an epoch that was superseded may change nothing', async () => {
    const runId = newId<string>()
    await session.claim(runId, 5)
    const late = step(runId, 4)
    const tries = await Promise.allSettled([
      session.exec({ argv: shell('touch /workspace/late'), step: late }),
      session.writeFile('/workspace/late', Buffer.from('x'), { step: late }),
      session.remove('/workspace/count', { step: late }),
      session.claim(runId, 4),
    ])
    expect(tries.map((attempt) => attempt.status === 'rejected' && attempt.reason.code)).toEqual(
      tries.map(() => 'stale'),
    )
    expect(await session.readFile('/workspace/late')).toBeNull()
    await session.claim(runId, 5)
    expect((await session.exec({ argv: ['true'], step: step(runId, 5) })).exitCode).toBe(0)
  })

  test('is unknown before it ran', async () => {
    expect(await session.result(step(newId()))).toBe('unknown')
  })
})

describe('files', () => {
  test('come back byte for byte, with the folders they need', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), randomBytes(5_000_000)]) {
      const { hash } = await session.writeFile('/workspace/deep/er/file.bin', bytes)
      expect(hash).toBe(sha256(bytes))
      expect(await session.readFile('/workspace/deep/er/file.bin')).toEqual({ bytes, hash })
    }
    expect(await session.readFile('/workspace/deep/none')).toBeNull()
    expect(await session.readFile('/workspace/none/at/all')).toBeNull()
  })

  test('are only replaced when they are what the writer saw', async () => {
    const path = '/workspace/guarded.txt'
    const first = await session.writeFile(path, Buffer.from('one'), { expectedHash: null })
    await expect(session.writeFile(path, Buffer.from('x'), { expectedHash: null })).rejects.toMatchObject({
      code: 'stale',
    })
    await session.writeFile(path, Buffer.from('two'), { expectedHash: first.hash })
    await expect(session.writeFile(path, Buffer.from('x'), { expectedHash: first.hash })).rejects.toMatchObject({
      code: 'stale',
    })
    expect(text((await session.readFile(path))!.bytes)).toBe('two')
  })

  test('of twenty writers with the same base, one wins', async () => {
    const path = '/workspace/raced.txt'
    const { hash } = await session.writeFile(path, Buffer.from('base'))
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        session.writeFile(path, Buffer.from(`writer ${index}`), { expectedHash: hash }),
      ),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('keep their mode, and no temporary file stays', async () => {
    await session.exec({ argv: shell('mkdir -p mode && echo x > mode/run.sh && chmod 755 mode/run.sh') })
    await session.writeFile('/workspace/mode/run.sh', Buffer.from('y'))
    expect((await stat(join(sandbox.root, 'mode/run.sh'))).mode & 0o777).toBe(0o755)
    expect((await session.list('/workspace/mode', 1)).map(({ path }) => path)).toEqual(['/workspace/mode/run.sh'])
  })

  test('are listed to a depth, links as links', async () => {
    await session.exec({ argv: shell('mkdir -p tree/a/b/c && echo 12345 > tree/a/f && ln -s /etc tree/out') })
    expect(await session.list('/workspace/tree', 2)).toEqual([
      { path: '/workspace/tree/a', kind: 'directory', sizeBytes: 0 },
      { path: '/workspace/tree/a/b', kind: 'directory', sizeBytes: 0 },
      { path: '/workspace/tree/a/f', kind: 'file', sizeBytes: 6 },
      { path: '/workspace/tree/out', kind: 'symlink', sizeBytes: 0 },
    ])
  })

  test('and folders are removed, and a link is removed without what it points to', async () => {
    await session.exec({
      argv: shell('mkdir -p gone/x target && echo keep > target/kept && ln -s ../target gone/link'),
    })
    await session.remove('/workspace/gone')
    await session.remove('/workspace/gone')
    expect(await session.list('/workspace/target', 1)).toHaveLength(1)
    await expect(session.remove('/workspace')).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('over 50 MB are refused both ways', async () => {
    await expect(session.writeFile('/workspace/big', Buffer.alloc(50 * 1024 * 1024 + 1))).rejects.toMatchObject({
      code: 'payload_too_large',
    })
    await session.exec({ argv: shell('truncate -s 60M big') })
    await expect(session.readFile('/workspace/big')).rejects.toMatchObject({ code: 'payload_too_large' })
  })
})

describe('paths that lead out', () => {
  const secret = `secret ${randomBytes(8).toString('hex')}`
  beforeAll(async () => {
    await writeFile(join(sandbox.root, '../secret'), secret)
    await mkdir(join(sandbox.root, 'traps/folder'), { recursive: true })
    await symlink(join(sandbox.root, '..'), join(sandbox.root, 'traps/up'))
    await symlink('../../secret', join(sandbox.root, 'traps/file'))
    await symlink('/', join(sandbox.root, 'traps/root'))
    await symlink('loop', join(sandbox.root, 'traps/loop'))
    await symlink('/proc/self', join(sandbox.root, 'traps/proc'))
    await session.exec({ argv: ['mkfifo', '/workspace/traps/pipe'] })
  })

  const attacks = [
    '/etc/passwd',
    '/workspace/../secret',
    '/workspace/traps/../../secret',
    '/workspace/traps/folder/../../../secret',
    '/workspacesecret',
    '/workspace/traps/up/secret',
    '/workspace/traps/file',
    '/workspace/traps/root/etc/passwd',
    '/workspace/traps/loop',
    '/workspace/traps/loop/x',
    '/workspace/traps/proc/environ',
    '/workspace/traps/pipe',
    '/workspace/traps/folder',
    '/workspace/\0/secret',
    'secret',
    '',
    '//workspace/traps/up/secret',
    '/workspace/.git/config',
    '/workspace/main/.GIT/hooks/pre-commit',
    '/workspace/main/.git./config',
    '/workspace/main/.g\u200bit/config',
    '/workspace/main/git~1/config',
    `/workspace/${'x'.repeat(300)}`,
  ]
  test.each(attacks)('%j is refused for reading and writing, and nothing outside is touched', async (path) => {
    const read = await session.readFile(path).catch((error: { code: string }) => error.code)
    const written = await session.writeFile(path, Buffer.from('owned')).catch((error: { code: string }) => error.code)
    // What is no path of ours is refused; for a name under a missing folder, "nothing there" is as good.
    expect(['forbidden', 'invalid', null]).toContain(read)
    expect(['forbidden', 'invalid']).toContain(written)
    expect(await readFile(join(sandbox.root, '../secret'), 'utf8')).toBe(secret)
  })

  test('a link swapped in between check and use never shows a byte', async () => {
    let isDone = false
    const flip = session
      .exec({
        argv: shell(
          'mkdir -p race/real && echo inside > race/real/secret && ln -s ../.. race/link; i=0; while [ $i -lt 4000 ]; do ' +
            'mv -T race/real race/dir 2>/dev/null; mv -T race/dir race/real 2>/dev/null; ' +
            'ln -sfn ../.. race/dir; rm -f race/dir; i=$((i+1)); done',
        ),
        timeoutMs: 4_000,
      })
      .finally(() => (isDone = true))
    let reads = 0
    // By the clock too: a loop of refusals alone would never let anything else happen.
    const until = Date.now() + 8_000
    while (!isDone && Date.now() < until) {
      const found = await session.readFile('/workspace/race/dir/secret').catch(() => null)
      await session.writeFile('/workspace/race/dir/secret', Buffer.from('inside\n')).catch(() => null)
      if (found) expect(text(found.bytes)).toBe('inside\n')
      reads++
    }
    await flip
    // Enough tries to have met the swap, also on a machine with much else to do.
    expect(reads).toBeGreaterThan(10)
    expect(await readFile(join(sandbox.root, '../secret'), 'utf8')).toBe(secret)
  })
})

describe('a named process', () => {
  test('runs on, is heard, replaced by the next of its name, and ends with its tree', async () => {
    const heard: string[] = []
    const stop = session.onProcess('server', (chunk) => heard.push(text(chunk)))
    const argv = shell('echo $$ > /workspace/server; echo up $N; sleep 300 & wait')
    await sleep(100)
    await session.startProcess('server', { argv, cwd: '/workspace', env: { N: '1' } })
    const first = await pidIn('/workspace/server')
    expect(await session.process('server')).toMatchObject({ state: 'running', exitCode: null })
    await session.remove('/workspace/server')
    await session.startProcess('server', { argv, cwd: '/workspace', env: { N: '2' } })
    const second = await pidIn('/workspace/server')
    expect([await gone(first), isAlive(second)]).toEqual([true, true])
    await session.stopProcess('server')
    expect(await gone(second)).toBe(true)
    expect(await session.process('server')).toMatchObject({ state: 'exited', tail: 'up 2\n' })
    await expect.poll(() => heard.join('')).toBe('up 1\nup 2\n')
    stop()
    expect(await session.process('other')).toBeNull()
  })

  test('that ends by itself says how', async () => {
    await session.startProcess('short', { argv: shell('echo bye; exit 7'), cwd: '/workspace' })
    await expect.poll(() => session.process('short')).toEqual({ state: 'exited', exitCode: 7, tail: 'bye\n' })
    await expect(session.startProcess('none', { argv: ['no-such'], cwd: '/workspace' })).rejects.toMatchObject({
      code: 'invalid',
    })
  })
})

describe('a port inside', () => {
  test.each(['127.0.0.1', '::1'])('on %s is reached like a socket, by HTTP with keep-alive', async (host) => {
    const server = createServer((request, response) => request.pipe(response))
    await new Promise<void>((done) => server.listen(0, host, done))
    const { port } = server.address() as net.AddressInfo
    expect(await session.ports()).toContain(port)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    agent.createConnection = (_options, done) => {
      session.dial(port).then(
        (socket) => done?.(null, socket),
        (error: Error) => done?.(error, undefined as never),
      )
      return undefined as never
    }
    const ask = (body: Buffer) =>
      new Promise<Buffer>((resolve, reject) => {
        const request = http.request({ agent, method: 'POST', path: '/' }, async (answer) => {
          const chunks: Buffer[] = []
          for await (const chunk of answer) chunks.push(chunk as Buffer)
          resolve(Buffer.concat(chunks))
        })
        request.on('error', reject)
        request.end(body)
      })
    for (const body of [Buffer.from('one'), randomBytes(8_000_000), Buffer.from('three')]) {
      expect((await ask(body)).equals(body)).toBe(true)
    }
    agent.destroy()
    server.closeAllConnections()
    server.close()
  })

  test('that nobody listens on is unavailable', async () => {
    await expect(session.dial(1)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

test('the figures of the sandbox are numbers, and its disk is what its files take', async () => {
  await session.limitDisk(5 * 1024 ** 3)
  const stats = await session.stats()
  expect(stats.diskLimitBytes).toBe(5 * 1024 ** 3)
  expect(stats.diskUsedBytes).toBeGreaterThan(0)
  expect(stats.diskUsedBytes).toBeLessThan(1024 ** 3)
})
