import type { RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Task } from '@guildhall/protocol/tasks.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { AppError } from '../../platform/errors.ts'
import { newId } from '../../platform/ids.ts'
import { holds, type TaskProject, type TaskWorld, taskWorld } from '../../testing/tasks.ts'

let world: TaskWorld
let project: TaskProject
beforeAll(async () => {
  world = await taskWorld()
})
afterAll(() => world?.close())
beforeEach(async () => {
  Object.assign(world.state, {
    ...{ autonomy: 'review_plan', setupCommand: null, sandboxes: 0 },
    ...{ beforeSandbox: async () => undefined, beforeRun: () => undefined },
  })
  project = await world.project()
})

const good = { 'src/app.ts': 'export const app = "good"\n' }
const bad = { 'src/app.ts': 'export const app = "bad"\n' }
const handIn = (task: Task, ...evidence: number[]) =>
  world.tasks.finish(world.agent(task.role), task.id, newId<RunId>(), {
    summary: 'It is done',
    claims: [{ text: 'It works', evidence }],
  })
const detail = (task: Task) => world.tasks.get(world.owner, task.id)
const purposes = () => project.orders().map(({ role, purpose }) => `${role} ${purpose}`)

test('ticks carry the commit, are told once, ignore unknown numbers, and close with the task', async () => {
  const { tasks, agent, owner } = world
  const [task] = await project.started({ boxes: [{ text: 'first box' }, { text: 'second box' }] })
  const commit = task!.head!
  const ticked = await tasks.tick(agent('engineer'), task!.id, [2, 7], commit)
  expect(ticked.boxes).toMatchObject([
    { done: false, commit: null },
    { done: true, commit },
  ])
  // The same call again after a crash.
  expect((await tasks.tick(agent('engineer'), task!.id, [2, 7], commit)).boxes).toEqual(ticked.boxes)
  expect(await project.facts(task!.id)).toEqual(['task.started', 'task.ticked'])
  await tasks.cancel(owner, task!.id, '')
  await expect(tasks.tick(agent('engineer'), task!.id, [1], commit)).rejects.toMatchObject({ code: 'conflict' })
})

test('finish names everything that is missing, and nothing moves', async () => {
  const [task] = await project.started({})
  const stolen = await project.evidence(task!, { role: 'architect' })
  const answer = await handIn(task!, stolen)
  expect(answer).toEqual({
    ok: false,
    refusals: [
      expect.stringContaining('Open boxes: 1. write it'),
      expect.stringContaining('no commit of yours'),
      expect.stringContaining(`event ${stolen}, which is no tool result of this task`),
    ],
  })
  await project.work(task!, good)
  const old = await project.evidence(task!)
  await project.evidence(task!, { tool: 'edit' })
  expect(await handIn(task!, old)).toMatchObject({ ok: false, refusals: [expect.stringContaining('edited after it')] })
  expect(await handIn(task!)).toMatchObject({ ok: false, refusals: [expect.stringContaining('cites no event')] })
  expect(await project.read(task!.id)).toMatchObject({ state: 'working', claims: [], tree: null })
  expect(await project.facts(task!.id)).toEqual(['task.started', 'task.ticked'])
})

test('finish writes the ticked document, binds head and tree, and a second call changes nothing', async () => {
  const [task] = await project.started({})
  const worked = await project.work(task!, good)
  const evidence = await project.evidence(task!)
  expect(await handIn(task!, evidence)).toEqual({ ok: true })
  const finished = await project.read(task!.id)
  const head = await world.repository.head(project.projectId, task!.branch!)
  expect(finished).toMatchObject({
    ...{ state: 'checking', head, tree: await world.repository.treeOf(project.projectId, head) },
    claims: [{ text: 'It works', evidence: [evidence] }],
  })
  const document = await project.file('ai_docs/tasks/001-banner.md', task!.branch!)
  expect(document.content).toContain(`- [x] 1. write it · ${worked.boxes[0]!.commit!.slice(0, 7)}`)
  expect(await handIn(task!, evidence)).toEqual({ ok: true })
  expect(await project.read(task!.id)).toEqual(finished)
  expect(await project.facts(task!.id)).toEqual(['task.started', 'task.ticked', 'task.finished'])
})

test('a task that is cancelled while it is handed in is not checked', async () => {
  const { owner, repository, service, agent } = world
  const [task] = await project.started({})
  await project.work(task!, good)
  const slow = service({
    repository: {
      ...repository,
      async writeCommit(...words) {
        await world.tasks.cancel(owner, task!.id, '')
        return repository.writeCommit(...words)
      },
    },
  })
  const claims = [{ text: 'It works', evidence: [await project.evidence(task!)] }]
  const answer = await slow.finish(agent('engineer'), task!.id, newId<RunId>(), { summary: 'It is done', claims })
  expect(answer).toEqual({ ok: false, refusals: ['The task is cancelled; there is nothing to finish.'] })
})

test('green checks on a fresh checkout call a reviewer of another role', async () => {
  world.state.setupCommand = 'echo made > node_modules.txt'
  const [task, drawn] = await project.started(
    { criteria: [holds('src/app.ts', 'good'), holds('node_modules.txt', 'made')] },
    { key: 'drawn', role: 'architect' },
  )
  const checked = await project.checked(task!, good)
  expect([checked.state, checked.reason]).toEqual(['reviewing', null])
  const { checkRuns } = await detail(task!)
  expect(checkRuns).toMatchObject([
    {
      ...{ stage: 'branch', passed: true, tree: checked.tree, error: null },
      results: [
        { argv: ['grep', '-q', 'good', 'src/app.ts'], passed: true, exitCode: 0 },
        { passed: true, exitCode: 0 },
      ],
    },
  ])
  await project.checked(drawn!, good)
  expect(purposes().slice(2)).toEqual(['architect review', 'engineer review'])
})

test('red checks go back to the author with the output, and claims and the bound tree are void', async () => {
  const argv = ['bash', '-c', 'echo "3 tests failed" >&2; exit 3']
  const [task] = await project.started({ criteria: [{ text: 'tests pass', check: { kind: 'command', argv } }] })
  const returned = await project.checked(task!, bad)
  expect(returned).toMatchObject({ state: 'working', returns: 1, claims: [], tree: null })
  expect(returned.reason).toContain('ended with 3.\n\n```\n3 tests failed\n```')
  expect((await world.tasks.document(task!.id)).returned).toBe(returned.reason)
  expect(purposes()).toEqual(['engineer work', 'engineer work'])
  const facts = ['task.started', 'task.ticked', 'task.finished', 'task.checked', 'task.returned']
  expect(await project.facts(task!.id)).toEqual(facts)
})

test('a check whose command does not exist is red, not a fault of the house', async () => {
  const check = { kind: 'command', argv: ['no-such-command-here'] }
  const [task] = await project.started({ criteria: [{ text: 'it runs', check }] })
  const returned = await project.checked(task!, good)
  expect(returned).toMatchObject({ state: 'working', returns: 1 })
  expect(returned.reason).toContain('no-such-command-here')
})

test('the third return fails: main is untouched, the person is told, dependents say why, and retry begins anew', async () => {
  const { tasks, owner } = world
  const [task, after] = await project.started({}, { key: 'after', dependsOn: ['banner'] })
  const main = await project.main()
  for (const round of ['one', 'two', 'three']) await project.checked(task!, { 'src/app.ts': round })
  const failed = await project.read(task!.id)
  expect(failed).toMatchObject({ state: 'failed', returns: 3 })
  expect([await project.main(), purposes().length]).toEqual([main, 3])
  expect(await project.said()).toEqual([
    expect.stringContaining('**Make banner** failed and was not merged. It came back 3 times.'),
  ])
  expect((await project.facts(task!.id)).at(-1)).toBe('task.failed')
  expect((await project.read(after!.id)).reason).toContain('It waits for "Make banner", which failed.')

  const again = await tasks.retry(owner, task!.id)
  expect(again).toMatchObject({ state: 'working', returns: 0, claims: [] })
  expect((await tasks.document(task!.id)).returned).toBe(failed.reason)
  expect(await project.read(after!.id)).toMatchObject({ state: 'waiting', reason: null })
  expect(await project.facts(after!.id)).toEqual(['task.held', 'task.held'])
  expect(await project.checked(again, good)).toMatchObject({ state: 'reviewing' })
}, 60_000)

test('a constraint with paths is enforced without running anything; the document is not the work', async () => {
  const constraints = [
    { text: 'Leave the build alone', paths: ['./config/', '*.json'] },
    { text: 'No prose', paths: ['**/*.md'] },
  ]
  const [task] = await project.started({ constraints })
  const returned = await project.checked(task!, { ...good, 'config/deep/build.ts': 'x', 'package.json': '{}' })
  expect([returned.state, world.state.sandboxes]).toEqual(['working', 0])
  expect(returned.reason).toContain(
    'config/deep/build.ts was changed, but: Leave the build alone\npackage.json was changed, but: Leave the build alone',
  )
  expect(returned.reason).not.toContain('No prose')
  expect((await detail(task!)).checkRuns).toMatchObject([{ passed: false, results: [] }])
})

test('a set-up that fails is told with its output, and no check runs', async () => {
  world.state.setupCommand = 'echo "registry is away"; exit 7'
  const [task] = await project.started({})
  const returned = await project.checked(task!, good)
  expect(returned.reason).toContain(
    'The set-up command `echo "registry is away"; exit 7` failed.\n\n```\nregistry is away\n```',
  )
  expect((await detail(task!)).checkRuns).toMatchObject([{ passed: false, results: [] }])
})

test('without a sandbox the person is asked, and retry goes on at the checks', async () => {
  const { tasks, owner, state } = world
  state.beforeSandbox = () => Promise.reject(new AppError('no_engine', 'No container engine answers'))
  const [task] = await project.started({})
  const stopped = await project.checked(task!, good)
  expect(stopped).toMatchObject({ state: 'needs_you', returns: 0, claims: [{ text: 'It works' }] })
  expect(stopped.reason).toBe('The checks could not run: No container engine answers.')
  expect(await project.said()).toEqual([`**Make banner** needs you. ${stopped.reason}`])
  expect((await project.facts(task!.id)).at(-1)).toBe('task.stopped')
  await expect(tasks.approve(owner, task!.id)).rejects.toMatchObject({ code: 'conflict' })

  state.beforeSandbox = async () => undefined
  state.rings = []
  expect(await tasks.retry(owner, task!.id)).toMatchObject({ state: 'checking', reason: null, head: stopped.head })
  expect(state.rings).toEqual([['task.check', `${task!.id}.${stopped.head}`]])
  await tasks.check(task!.id)
  expect(await project.read(task!.id)).toMatchObject({ state: 'reviewing' })
})

test('a fault after green checks leaves nothing half-written', async () => {
  const { tasks, owner, state } = world
  const [task] = await project.started({})
  state.beforeRun = () => {
    throw new Error('a bug of ours')
  }
  expect(await project.checked(task!, good)).toMatchObject({
    ...{ state: 'needs_you', reason: 'The checks could not run: an internal error, see the log.' },
  })
  expect((await detail(task!)).checkRuns).toEqual([])
  state.beforeRun = () => undefined
  await tasks.retry(owner, task!.id)
  await tasks.check(task!.id)
  expect((await project.read(task!.id)).state).toBe('reviewing')
  const told = ['task.finished', 'task.stopped', 'task.started', 'task.checked']
  expect((await project.facts(task!.id)).slice(2)).toEqual(told)
})

test('two workers cannot hold one check', async () => {
  const [task] = await project.started({})
  await project.work(task!, good)
  await project.finish(task!)
  const other = world.service()
  await Promise.all([world.tasks.check(task!.id), other.check(task!.id), other.check(task!.id)])
  expect([world.state.sandboxes, (await detail(task!)).checkRuns.length]).toEqual([1, 1])
})

test('a worker that lost its lease writes nothing', async () => {
  const { state, service, expireLease } = world
  const [task] = await project.started({})
  await project.work(task!, good)
  await project.finish(task!)
  const waits: (() => void)[] = []
  state.beforeSandbox = () => new Promise((resolve) => waits.push(resolve))
  const first = world.tasks.check(task!.id)
  await expect.poll(() => waits.length, { timeout: 10_000 }).toBe(1)
  await expireLease(task!.id)
  const second = service().check(task!.id)
  await expect.poll(() => waits.length, { timeout: 10_000 }).toBe(2)
  waits[0]!()
  await first
  expect(await project.read(task!.id)).toMatchObject({ state: 'checking' })
  expect((await detail(task!)).checkRuns).toEqual([])
  waits[1]!()
  await second
  expect(await project.read(task!.id)).toMatchObject({ state: 'reviewing' })
  expect((await detail(task!)).checkRuns.length).toBe(1)
})

test('cancelling ends checks that are under way, and nothing is written after', async () => {
  const argv = ['bash', '-c', 'sleep 30']
  const check = { kind: 'command', argv, timeoutMs: 60_000 }
  const [task] = await project.started({ criteria: [{ text: 'is slow', check }] })
  await project.work(task!, good)
  await project.finish(task!)
  const checking = world.tasks.check(task!.id)
  await expect.poll(() => world.state.sandboxes, { timeout: 10_000 }).toBe(1)
  await world.tasks.cancel(world.owner, task!.id, 'Never mind')
  const begun = performance.now()
  await checking
  expect(performance.now() - begun).toBeLessThan(10_000)
  expect(await project.read(task!.id)).toMatchObject({ state: 'cancelled', reason: 'Never mind' })
  expect((await detail(task!)).checkRuns).toEqual([])
})

test('a review is bound to base and tree; the same run judges once; the own role is refused', async () => {
  const [task] = await project.started({})
  await project.work(task!, good)
  expect(await project.judge(task!)).toMatchObject({ ok: false, refusals: [expect.stringContaining('is working')] })
  await project.finish(task!)
  await world.tasks.check(task!.id)
  const context = await world.tasks.reviewContext(task!.id)
  expect(context).toMatchObject({ base: task!.base, checkRun: { passed: true, tree: context.tree } })
  expect(context.diffText).toContain('+export const app = "good"')
  expect(await project.judge(task!, {}, 'engineer')).toEqual({
    ok: false,
    refusals: ['Your own role wrote this change; another role reviews it.'],
  })
  const runId = newId<RunId>()
  expect(await project.judge(task!, {}, 'architect', runId)).toEqual({ ok: true })
  expect(await project.judge(task!, { verdict: 'request_changes' }, 'architect', runId)).toEqual({ ok: true })
  const { reviews, task: now } = await detail(task!)
  expect(now.state).toBe('merging')
  expect(reviews).toMatchObject([{ runId, verdict: 'approve', base: context.base, tree: context.tree }])
  const told = ['task.checked', 'task.reviewed', 'task.queued']
  expect((await project.facts(task!.id)).slice(-3)).toEqual(told)
})

test('request_changes returns with the comments', async () => {
  const [task] = await project.started({})
  await project.checked(task!, good)
  const comment = { path: 'src/app.ts', line: 1, body: 'Name it better', severity: 'major' as const }
  await project.judge(task!, { verdict: 'request_changes', summary: 'Almost there', comments: [comment] })
  const returned = await project.read(task!.id)
  expect(returned).toMatchObject({ state: 'working', returns: 1, claims: [], tree: null })
  expect(returned.reason).toBe('The reviewer asks for changes.\n\nAlmost there\n\nsrc/app.ts:1 (major) Name it better')
  expect(purposes()).toEqual(['engineer work', 'architect review', 'engineer work'])
  expect((await project.facts(task!.id)).slice(-2)).toEqual(['task.reviewed', 'task.returned'])
})

test('review_all waits for the person: retry does not go round them, their yes merges', async () => {
  const { tasks, owner, state } = world
  state.autonomy = 'review_all'
  const [task] = await project.started({})
  await project.queued(task!, good)
  expect(await project.read(task!.id)).toMatchObject({ state: 'needs_you' })
  expect((await project.facts(task!.id)).slice(-2)).toEqual(['task.reviewed', 'task.stopped'])
  await expect(tasks.retry(owner, task!.id)).rejects.toMatchObject({ code: 'conflict' })
  const main = await project.main()
  await tasks.mergeNext(project.projectId)
  expect(await project.main()).toBe(main)
  expect(await tasks.approve(owner, task!.id)).toMatchObject({ state: 'merging', reason: null })
  await expect(tasks.approve(owner, task!.id)).rejects.toMatchObject({ code: 'conflict' })
  await tasks.mergeNext(project.projectId)
  expect(await project.read(task!.id)).toMatchObject({ state: 'merged', mergedAs: await project.main() })
})

test('an approval of an earlier tree is no approval of what came after it', async () => {
  const { tasks, owner, state } = world
  state.autonomy = 'review_all'
  const [task] = await project.started({})
  await project.queued(task!, good)
  await tasks.approve(owner, task!.id)
  // It comes back from the merge, the author commits something else, and the run breaks off.
  await world.repository.casMain({ kind: 'system' }, project.projectId, {
    from: await project.main(),
    to: await elsewhere('src/app.ts', 'export const app = "other"\n'),
    ...{ branch: null, taskId: null },
  })
  await tasks.mergeNext(project.projectId)
  const returned = await project.read(task!.id)
  expect(returned).toMatchObject({ state: 'working', returns: 1, tree: null })
  await project.work(returned, { 'src/app.ts': 'export const app = "unseen"\n' })
  await tasks.runEnded({ id: newId<RunId>(), taskId: task!.id, purpose: 'work' }, 'failed', 'The model is away.')
  expect(await project.read(task!.id)).toMatchObject({ state: 'needs_you', reason: 'The model is away.' })
  await expect(tasks.approve(owner, task!.id)).rejects.toMatchObject({ code: 'conflict' })
  expect(await tasks.retry(owner, task!.id)).toMatchObject({ state: 'working' })
  expect((await tasks.document(task!.id)).returned).toContain('conflicts with it in: src/app.ts')
})

/** A commit on a branch of somebody else, from main. */
async function elsewhere(path: string, content: string) {
  const { db, owner, repository } = world
  const wanted = `you/${newId().slice(-8)}`
  const { name } = await db.as(owner, (tx) =>
    repository.createBranch(tx, owner, project.projectId, { wanted, role: null, taskId: null }),
  )
  const author = { name: 'Ada', email: 'ada@example.org' }
  return repository.writeCommit(project.projectId, name, { files: [{ path, content }], message: 'feat: else', author })
}

test('a run that ended without its tool leaves the task to the person; one that is history does not', async () => {
  const { tasks } = world
  const [task] = await project.started({})
  const ended = (purpose: 'work' | 'review', outcome: 'failed' | 'cancelled', error: string | null) =>
    tasks.runEnded({ id: newId<RunId>(), taskId: task!.id as TaskId, purpose }, outcome, error)
  await ended('review', 'failed', 'Not this one')
  expect((await project.read(task!.id)).state).toBe('working')
  await ended('work', 'cancelled', null)
  await ended('work', 'failed', 'Told twice')
  expect(await project.read(task!.id)).toMatchObject({
    ...{ state: 'needs_you', reason: 'You stopped it. Retry goes on from its last commit.' },
  })
  expect(await project.facts(task!.id)).toEqual(['task.started', 'task.stopped'])
})

test('a stop holds what is in its checks or queued, nothing reviews or merges it, and a retry goes on from there', async () => {
  const [checking, queued, other] = await project.started(
    { key: 'checking' },
    { key: 'queued', criteria: [holds('src/q.ts', 'good')] },
    { key: 'other' },
  )
  await project.work(checking!, { 'src/app.ts': 'good' })
  await project.finish(checking!)
  await project.queued(queued!, { 'src/q.ts': 'good' })
  const main = await project.main()
  const orders = project.orders().length
  await world.tasks.stopConversation(project.conversation.id)
  await world.tasks.check(checking!.id)
  await world.tasks.mergeNext(project.projectId)
  const states = () => Promise.all([checking, queued, other].map(async (task) => (await project.read(task!.id)).state))
  expect(await states()).toEqual(['needs_you', 'needs_you', 'working'])
  expect([await project.main(), project.orders().length]).toEqual([main, orders])
  await world.tasks.retry(world.owner, checking!.id)
  await world.tasks.retry(world.owner, queued!.id)
  expect(await states()).toEqual(['checking', 'merging', 'working'])
}, 30_000)

test('a stop in the middle of a check run ends it, and its outcome counts for nothing', async () => {
  const [task] = await project.started({})
  await project.work(task!, { 'src/app.ts': 'good' })
  await project.finish(task!)
  world.state.beforeSandbox = () => world.tasks.stopConversation(project.conversation.id)
  await world.tasks.check(task!.id)
  expect(await project.read(task!.id)).toMatchObject({
    state: 'needs_you',
    reason: expect.stringContaining('You stopped it'),
  })
  expect((await world.tasks.get(world.owner, task!.id)).checkRuns).toEqual([])
}, 30_000)
