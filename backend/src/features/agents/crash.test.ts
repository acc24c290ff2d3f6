import type { RunDetail } from '@guildhall/protocol/agents.ts'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type CrewWorld, crewWorld } from '../../testing/crew.ts'
import { wholeCrew } from '../../testing/crew-scripts.ts'
import { gitIn } from '../../testing/git.ts'

const program = fileURLToPath(new URL('../../testing/crew-worker.ts', import.meta.url))
const killPoints = ['before intent', 'after intent', 'in exec', 'after exec', 'before result commit', 'after'] as const

let world: CrewWorld
const children = new Set<ChildProcess>()
beforeAll(async () => {
  world = await crewWorld(wholeCrew)
}, 60_000)
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})
afterAll(() => world?.close())

async function startWorker(killPoint?: string): Promise<ChildProcess> {
  const env = {
    ...process.env,
    CREW_ADDRESS: JSON.stringify(world.address),
    ...(killPoint && { KILL_POINT: killPoint }),
  }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  await once(child.stdout!, 'data')
  return child
}

const until = (isTrue: () => Promise<boolean>) => expect.poll(isTrue, { timeout: 25_000, interval: 25 }).toBe(true)
const tasks = () => world.tasks.list(world.owner, world.projectId)

/** An approved task whose run nobody has taken yet. */
async function orderWork() {
  const planner = await startWorker()
  const before = (await tasks()).length
  const planRun = await world.ask('Please add up the cart')
  await until(async () => (await world.agents.run(world.owner, planRun)).run.state === 'done')
  planner.kill('SIGKILL')
  await once(planner, 'exit')
  expect((await tasks()).length).toBe(before + 1)
  const plan = (await world.tasks.plans(world.owner, world.projectId)).toSorted((a, b) => b.number - a.number)[0]!
  await world.tasks.approvePlan(world.owner, plan.id, plan.version)
  await until(async () => (await tasks()).some(({ planId, state }) => planId === plan.id && state === 'working'))
  const task = (await tasks()).find(({ planId }) => planId === plan.id)!
  const [run] = await world.agents.runs(world.owner, world.projectId, task.id)
  return { task, runId: run!.id }
}

const stepsOf = ({ steps }: RunDetail) =>
  steps.map(({ kind, name, state }) => (kind === 'tool' ? `${name} ${state}` : state))

test.each(killPoints)(
  'a worker killed %s: another finishes the run, and what ran is not run again',
  async (point) => {
    const { task, runId } = await orderWork()
    const victim = await startWorker(point)
    await until(async () => (await world.agents.run(world.owner, runId)).run.epoch === 1)
    await startWorker()
    if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit')
    expect(victim.signalCode).toBe('SIGKILL')
    const killedAt = performance.now()
    const atDeath = await world.agents.run(world.owner, runId)
    await until(async () => (await world.agents.run(world.owner, runId)).run.epoch === 2)
    const resumedMs = performance.now() - killedAt
    await until(async () => (await world.agents.run(world.owner, runId)).run.state === 'done')

    const detail = await world.agents.run(world.owner, runId)
    const nonces = await readFile(join(world.root, task.branch!, 'node_modules/nonce'), 'utf8')
    expect(nonces).toBe('ran\n')
    // Killed before the command went out nobody can know whether it ran: the model is told, and decides to run it.
    const told = [
      'read done',
      'edit done',
      'shell interrupted',
      'commit done',
      'finish failed',
      'shell done',
      'finish done',
    ]
    const smooth = ['read done', 'edit done', 'shell done', 'commit done', 'finish done']
    expect(stepsOf(detail).filter((_, index) => index % 2 === 1)).toEqual(point === 'after intent' ? told : smooth)
    // Steps that were done when it died are the very same afterwards.
    const wasDone = atDeath.steps.filter(({ state }) => state === 'done')
    expect(detail.steps.slice(0, wasDone.length)).toEqual(wasDone)
    const commits = await gitIn(join(world.root, task.branch!), ['log', '--format=%s', `${task.base}..HEAD`])
    expect(commits.split('\n').filter((subject) => subject.startsWith('feat(cart)'))).toEqual([
      'feat(cart): add up the prices',
    ])
    expect(resumedMs).toBeLessThan(5_000)
    await rm(join(world.root, task.branch!, 'node_modules'), { recursive: true, force: true })
  },
  60_000,
)

test('a worker that was paused past its lease wakes up and changes nothing', async () => {
  const { task, runId } = await orderWork()
  const zombie = await startWorker()
  await until(async () =>
    (await world.agents.run(world.owner, runId)).steps.some(({ name, state }) => name === 'shell' && state === 'begun'),
  )
  zombie.kill('SIGSTOP')
  await startWorker()
  await until(async () => (await world.agents.run(world.owner, runId)).run.state === 'done')
  const before = [await world.agents.run(world.owner, runId), await world.events()] as const
  zombie.kill('SIGCONT')
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  expect([await world.agents.run(world.owner, runId), await world.events()]).toEqual(before)
  expect(before[0].run.epoch).toBe(2)
  expect(await readFile(join(world.root, task.branch!, 'node_modules/nonce'), 'utf8')).toBe('ran\n')
}, 60_000)
