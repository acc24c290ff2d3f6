import type { Actor } from '@guildhall/protocol/actor.ts'
import type { AgentId, RunId } from '@guildhall/protocol/ids.ts'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../../platform/ids.ts'
import { type CrewWorld, crewWorld } from '../../../testing/crew.ts'
import { gitIn } from '../../../testing/git.ts'

import { crew } from '../roles/crew.ts'
import type { RoleFile } from '../roles/role.ts'
import { toolbox } from './toolbox.ts'
import type { ToolContext, ToolOutcome } from './tool.ts'

const branch = 'agent/engineer/tools'
let world: CrewWorld
let root: string
/** The work tree's folder on this machine. */
let folder: string
let seen: Map<string, string>
let stepId = 0

beforeAll(async () => {
  world = await crewWorld({ name: 'silent', answer: () => null })
  await world.db.as(world.owner, (tx) =>
    world.repository.createBranch(tx, world.owner, world.projectId, { wanted: branch, role: 'engineer', taskId: null }),
  )
  root = (await world.repository.ensureWorkTree(world.projectId, branch)).path
  folder = join(world.root, branch)
}, 60_000)
afterAll(() => world?.close())
beforeEach(() => {
  seen = new Map()
})

const runId = newId<RunId>()
const agentId = newId<AgentId>()

function contextOf({ role = crew.engineer, signal }: { role?: RoleFile; signal?: AbortSignal } = {}): ToolContext {
  const { session, owner, projectId, conversation, tasks, repository } = world
  const agent: Actor & { kind: 'agent' } = { kind: 'agent', agentId, runId, role: role.role, onBehalfOf: owner.userId }
  const id = String(++stepId)
  return {
    ...{ session, root, role, agent, seen, tasks, repository },
    env: { PORT: '3001' },
    run: {
      ...{ id: runId, projectId, branch, conversationId: conversation.id, userId: owner.userId },
      ...{ taskId: null, taskKey: 'cart', purpose: 'work', seatName: 'Engineer 1', model: 'rehearsal' },
    },
    step: (part) => ({ runId, epoch: 1, stepId: part ? `${id}.${part}` : id }),
    signal: signal ?? new AbortController().signal,
  }
}

/** What the loop does with a call, without a ledger. */
async function use(name: keyof typeof toolbox, input: unknown, context = contextOf()): Promise<ToolOutcome> {
  const call = toolbox[name].open(input, context)
  if ('refusal' in call) return { state: 'failed', text: call.refusal }
  const intended = await call.intend?.()
  const outcome = intended && 'outcome' in intended ? intended.outcome : await call.run()
  if (outcome.seen) seen.set(outcome.seen.path, outcome.seen.hash)
  return outcome
}

/** The same call as the next worker finds it: begun, its intent stored, and `meanwhile` what the dead one had done. */
async function resume(
  name: keyof typeof toolbox,
  input: unknown,
  meanwhile: (run: () => Promise<ToolOutcome>) => Promise<unknown>,
) {
  const context = contextOf()
  const first = toolbox[name].open(input, context)
  if ('refusal' in first) throw new Error(first.refusal)
  const intended = await first.intend?.()
  if (intended && 'outcome' in intended) throw new Error(intended.outcome.text)
  await meanwhile(() => first.run())
  const second = toolbox[name].open(input, context)
  if ('refusal' in second) throw new Error(second.refusal)
  return second.resume(JSON.parse(JSON.stringify(intended?.intent ?? null)))
}

const put = (path: string, content: string | Buffer) => writeFile(join(folder, path), content)
const got = (path: string) => readFile(join(folder, path), 'utf8')

describe('the fence', () => {
  const outside = [
    '../x',
    '../../etc/passwd',
    '/etc/passwd',
    '~/x',
    'src/../../x',
    '.git/config',
    'src/.git/hooks/pre-commit',
    '.GIT/config',
    'git~1/config',
    '.git./config',
    'a\0b',
  ]
  test.each(outside)('refuses %j for every tool that takes a path, and says what to do', async (path) => {
    const tried = await Promise.all([
      use('read', { path }),
      use('edit', { path, old: 'a', new: 'b' }),
      use('write', { path, content: 'x' }),
      use('grep', { pattern: 'x', path }),
      use('shell', { command: 'true', cwd: path }),
    ])
    for (const { state, text } of tried) {
      expect(state).toBe('failed')
      expect(text).toMatch(/\b(?:Use|use|Name|Write)\b/)
    }
  })
  test('names the relative path for an absolute one inside the work tree', async () => {
    expect((await use('read', { path: `${root}/src/cart.ts` })).text).toBe(
      'Paths are relative to your work tree. Use `src/cart.ts`.',
    )
  })
  test('a link that leads out of the sandbox is not followed by read or write', async () => {
    await symlink('/etc/hostname', join(folder, 'link'))
    await expect(use('read', { path: 'link' })).rejects.toMatchObject({
      code: expect.stringMatching(/forbidden|invalid/),
    })
    await rm(join(folder, 'link'))
  })
})

describe('arguments', () => {
  test('that are wrong are refused with each field named', async () => {
    expect((await use('edit', { path: 7, old: '', newer: 'x' })).text).toMatch(
      /^The arguments of edit are not right\. `path`: .+; `old`: .+; `new`: .+; `arguments`: .*newer.* Correct them and call edit again\.$/,
    )
  })
  test.each([null, 'text', 7, [], { path: 'x'.repeat(2_000) }])('%j is refused and never thrown', async (input) => {
    expect((await use('read', input)).state).toBe('failed')
  })
})

describe('read', () => {
  test('shows lines with numbers, a range and a hash', async () => {
    await put('lines.txt', Array.from({ length: 30 }, (_, index) => `line ${index + 1}`).join('\n') + '\n')
    const { text } = await use('read', { path: 'lines.txt', offset: 12, limit: 2 })
    expect(text).toMatch(
      /^lines\.txt · lines 12–13 of 30 · hash [0-9a-f]{8}\n {3}12│line 12\n {3}13│line 13\n… 17 lines follow; read from offset 14 …$/,
    )
  })
  test('names the nearest three for a file that is not there', async () => {
    await put('src/carts.ts', 'x\n')
    expect((await use('read', { path: 'src/card.ts' })).text).toMatch(
      /^src\/card\.ts is not there.*Nearest names: src\/carts?\.ts, src\/carts?\.ts/,
    )
    await rm(join(folder, 'src/carts.ts'))
  })
  test('says size and kind of a binary file, and that a file is empty or a range is past its end', async () => {
    await put('logo.png', Buffer.from('89504e470d0a1a0a00', 'hex'))
    await put('empty.txt', '')
    expect((await use('read', { path: 'logo.png' })).text).toMatch(/^logo\.png · PNG image · 9 bytes · hash/)
    expect((await use('read', { path: 'empty.txt' })).text).toMatch(/^empty\.txt · empty/)
    expect((await use('read', { path: 'lines.txt', offset: 99 })).text).toBe(
      'lines.txt has 30 lines. read it with an offset of at most 30.',
    )
    await rm(join(folder, 'logo.png'))
  })
  test('gives at most about 16 kB and says where to go on', async () => {
    await put('long.txt', 'x'.repeat(99).concat('\n').repeat(1_000))
    const { text } = await use('read', { path: 'long.txt' })
    expect(Buffer.byteLength(text)).toBeLessThan(17 * 1_024)
    expect(text).toMatch(/… \d+ lines follow; read from offset \d+ …$/)
    await rm(join(folder, 'long.txt'))
  })
})

describe('edit and write', () => {
  test('edit wants the file read, and as it was read', async () => {
    await put('a.txt', 'one\ntwo\n')
    const edit = { path: 'a.txt', old: 'two', new: 'three' }
    expect((await use('edit', edit)).text).toBe('a.txt was not read in this run. read it first.')
    await use('read', { path: 'a.txt' })
    await put('a.txt', 'one\ntwo\nmore\n')
    expect((await use('edit', edit)).text).toMatch(
      /^a\.txt has changed since you read it \(hash [0-9a-f]{8}\)\. read it again\.$/,
    )
    await use('read', { path: 'a.txt' })
    const { text, figure } = await use('edit', edit)
    expect([figure, text]).toEqual(['+1 −1', 'edited a.txt · +1 −1\n    1│one\n    2│three\n    3│more'])
    // Its own edit counts as read.
    expect((await use('edit', { path: 'a.txt', old: 'three', new: 'four' })).state).toBe('done')
    expect(await got('a.txt')).toBe('one\nfour\nmore\n')
  })
  test('write makes a new file with its folders, and replaces only what was read', async () => {
    expect((await use('write', { path: 'deep/er/new.txt', content: 'a\nb\n' })).text).toBe(
      'wrote deep/er/new.txt · 2 lines · +2 −0',
    )
    seen.clear()
    expect((await use('write', { path: 'deep/er/new.txt', content: 'c\n' })).text).toBe(
      'deep/er/new.txt was not read in this run. read it first.',
    )
    await use('read', { path: 'deep/er/new.txt' })
    expect((await use('write', { path: 'deep/er/new.txt', content: 'c\n' })).text).toBe(
      'replaced deep/er/new.txt · 1 lines · +1 −2',
    )
  })
  test('bytes that are no UTF-8 text are never edited', async () => {
    await put('latin.txt', Buffer.from([0x61, 0xe9, 0x62, 0x0a]))
    await use('read', { path: 'latin.txt' })
    expect((await use('edit', { path: 'latin.txt', old: 'a', new: 'b' })).text).toContain('not UTF-8 text')
    expect(await readFile(join(folder, 'latin.txt'))).toEqual(Buffer.from([0x61, 0xe9, 0x62, 0x0a]))
  })
  test('a byte order mark and CRLF come through an edit', async () => {
    await put('bom.txt', '\ufeffone\r\ntwo\r\n')
    await use('read', { path: 'bom.txt' })
    await use('edit', { path: 'bom.txt', old: 'two', new: 'three' })
    expect(await got('bom.txt')).toBe('\ufeffone\r\nthree\r\n')
  })
  test('a role writes only under its own folders', async () => {
    const context = () => contextOf({ role: crew.architect })
    expect((await use('write', { path: 'src/x.ts', content: '' }, context())).text).toContain(
      'the architect writes only under docs/decisions/',
    )
    expect((await use('write', { path: 'docs/decisions/0001-x.md', content: '# X\n' }, context())).state).toBe('done')
  })

  test('after a crash before the write it is done, after the write it is found done, after another change it is refused', async () => {
    const edit = { path: 'r.txt', old: 'b', new: 'B' }
    await put('r.txt', 'a\nb\n')
    await use('read', { path: 'r.txt' })
    const redone = await resume('edit', edit, async () => undefined)
    expect([redone.state, await got('r.txt')]).toEqual(['done', 'a\nB\n'])

    await put('r.txt', 'a\nb\n')
    await use('read', { path: 'r.txt' })
    const found = await resume('edit', edit, (run) => run())
    expect([found.text, found.figure, await got('r.txt')]).toEqual([redone.text, '+1 −1', 'a\nB\n'])

    await put('r.txt', 'a\nb\n')
    await use('read', { path: 'r.txt' })
    const changed = await resume('edit', edit, () => put('r.txt', 'somebody\n'))
    expect([changed.text, await got('r.txt')]).toEqual([
      expect.stringContaining('has changed since you read it'),
      'somebody\n',
    ])
  })
})

describe('shell', () => {
  test('tells exit, time, output and errors apart', async () => {
    const { text, figure } = await use('shell', { command: 'echo out; echo err >&2; exit 3' })
    expect(figure).toMatch(/^exit 3 · \d+\.\d s$/)
    expect(text).toMatch(/^exit 3 · \d+\.\d s\nout\n── stderr ──\nerr$/)
  })
  test('runs in a folder, with the port, and without colours', async () => {
    expect(
      (await use('shell', { command: 'basename $PWD; echo $PORT; printf "\\033[31mred\\033[0m"', cwd: 'src' })).text,
    ).toContain('src\n3001\nred')
  })
  test('keeps head and tail of long output within 16 kB', async () => {
    const { text } = await use('shell', { command: 'seq 1 20000' })
    expect(Buffer.byteLength(text)).toBeLessThan(17 * 1_024)
    expect(text).toMatch(/\n1\n2\n3\n[^]*left out[^]*\n20000$/)
  })
  test('ends at its time, with what it had said', async () => {
    const { text } = await use('shell', { command: 'echo begun; sleep 30', timeoutMs: 400 })
    expect(text).toMatch(/^stopped: over its time.*\nbegun$/)
  })
  test('holds no secret of the platform', async () => {
    process.env['ANTHROPIC_API_KEY'] ??= 'planted-secret'
    const { text } = await use('shell', { command: 'env; cat /proc/$PPID/environ | tr "\\0" "\\n"' })
    expect(text).not.toMatch(/planted-secret|DATABASE|JWT_SECRET|postgres(?:ql)?:/)
  })
  test('stops within two seconds when the run is stopped', async () => {
    const stop = new AbortController()
    const begun = performance.now()
    setTimeout(() => stop.abort(new Error('stopped')), 200)
    await use('shell', { command: 'sleep 20' }, contextOf({ signal: stop.signal })).catch(() => undefined)
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
  test('after a crash its outcome is fetched, or it is told that nobody knows', async () => {
    const command = 'echo ran >> node_modules-nonce; sleep 0.4; echo finished'
    const kept = await resume('shell', { command }, async (run) => {
      void run()
      await new Promise((resolve) => setTimeout(resolve, 200))
    })
    expect([kept.state, kept.text]).toEqual(['done', expect.stringMatching(/^exit 0 · .*\nfinished$/)])
    const unknown = await resume('shell', { command }, async () => undefined)
    expect([unknown.state, await got('node_modules-nonce')]).toEqual(['interrupted', 'ran\n'])
  })
})

describe('grep', () => {
  test('answers path, line and text, and how many', async () => {
    await put('g.txt', 'alpha\nbeta\nalphabet\n')
    const { text } = await use('grep', { pattern: 'alpha', path: 'g.txt' })
    expect(text).toBe('2 matches\ng.txt:1│alpha\ng.txt:3│alphabet')
  })
  test('with context, a limit, and a pattern that begins with a dash', async () => {
    await put('g.txt', 'a\n--flag\nb\n--flag\n')
    expect((await use('grep', { pattern: '--flag', path: 'g.txt', context: 1, max: 1 })).text).toBe(
      '2 matches\ng.txt-1│a\ng.txt:2│--flag\ng.txt-3│b\n… 1 more matches; narrow the pattern, path or glob …',
    )
  })
  test('nothing found is an answer, a bad pattern a refusal with the reason', async () => {
    expect(await use('grep', { pattern: 'zebra-not-there', path: 'src' })).toMatchObject({
      state: 'done',
      figure: '0 matches',
    })
    expect((await use('grep', { pattern: '(' })).text).toMatch(
      /^grep did not run: [^]*regex[^]*Correct the pattern or the path\.$/,
    )
  })
})

describe('commit', () => {
  const log = (format: string) => gitIn(folder, ['log', '-1', `--format=${format}`])

  test.each(['fixed it', 'Feat: x', 'feat(cart):no space', 'feature(cart): x'])(
    'refuses the message %j with an example',
    async (message) => {
      expect((await use('commit', { message })).text).toContain('must begin like `feat(scope): what changes`')
    },
  )
  test('commits everything as the seat with trailers, and brings it out', async () => {
    await put('c.txt', 'one\n')
    const { text, figure } = await use('commit', { message: 'feat(cart): add c\n\nBecause it was missing.' })
    expect(figure).toMatch(/^\+\d+ −\d+$/)
    expect(text).toMatch(/^committed [0-9a-f]{8} · \+\d+ −\d+ · published agent\/engineer\/tools$/)
    expect(await log('%an <%ae> %cn%n%B')).toBe(
      'Engineer 1 <engineer@crew.guildhall> Engineer 1\nfeat(cart): add c\n\nBecause it was missing.\n\nTask: cart\nModel: rehearsal\n',
    )
    expect(await world.repository.head(world.projectId, branch)).toBe(await log('%H'))
  })
  test('with nothing to commit, and with boxes of no task, is refused', async () => {
    expect((await use('commit', { message: 'chore: again' })).text).toContain('Nothing to commit')
    expect((await use('commit', { message: 'chore: again', boxes: [1] })).text).toContain('no boxes')
  })
  test('after a crash a commit that HEAD has is not made again, one that is missing is', async () => {
    await put('c.txt', 'two\n')
    const found = await resume('commit', { message: 'feat(cart): second' }, (run) => run())
    expect(found.text).toMatch(/^committed /)
    await put('c.txt', 'three\n')
    const made = await resume('commit', { message: 'feat(cart): third' }, async () => undefined)
    expect(made.text).toMatch(/^committed /)
    expect(await gitIn(folder, ['log', '-3', '--format=%s'])).toBe(
      'feat(cart): third\nfeat(cart): second\nfeat(cart): add c',
    )
  })
})

test('finish is refused while the work tree is dirty, with the paths', async () => {
  await put('dirty.txt', 'x\n')
  const context = contextOf()
  const ofTask = { ...context, run: { ...context.run, taskId: newId() as never } }
  const { text } = await use('finish', { summary: 'done', claims: [{ text: 'it works', evidence: [1] }] }, ofTask)
  expect(text).toBe(
    'The work tree has uncommitted changes: dirty.txt. commit them, or remove what does not belong, then finish again.',
  )
})
