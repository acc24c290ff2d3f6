import type { Event } from '@guildhall/protocol/events.ts'
import { createLog } from '../../platform/log.ts'
import { startTaskJobs } from '../tasks/jobs.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CrewWorld, crewWorld } from '../../testing/crew.ts'
import { wholeCrew } from '../../testing/crew-scripts.ts'
import { gitIn } from '../../testing/git.ts'

let world: CrewWorld
let working: { close(): Promise<void> }
beforeAll(async () => {
  world = await crewWorld(wholeCrew, { logLevel: process.env['TEST_LOG'] ?? 'silent' })
  working = world.agents.work()
}, 60_000)
afterAll(async () => {
  await working?.close()
  await world?.close()
})

const ofType = <Type extends Event['type']>(events: Event[], type: Type) =>
  events.filter((event): event is Event & { type: Type } => event.type === type)
const until = (isTrue: () => Promise<boolean>) => expect.poll(isTrue, { timeout: 20_000, interval: 50 }).toBe(true)

test('a wish becomes a plan, an approved plan becomes a finished branch, and the log tells it all', async () => {
  const planRun = await world.ask('Please add up the cart')
  await until(async () => (await world.agents.run(world.owner, planRun)).run.state === 'done')
  const [plan] = await world.tasks.plans(world.owner, world.projectId)
  await world.tasks.approvePlan(world.owner, plan!.id, plan!.version)
  await until(async () => (await world.tasks.list(world.owner, world.projectId))[0]!.state === 'checking')
  const task = (await world.tasks.list(world.owner, world.projectId))[0]!
  const [work] = await world.agents.runs(world.owner, world.projectId, task.id)
  await until(async () => (await world.agents.run(world.owner, work!.id)).run.state === 'done')

  const detail = await world.agents.run(world.owner, work!.id)
  expect(detail.steps.map(({ kind, name, state }) => [kind, kind === 'tool' ? name : '', state].join(' '))).toEqual([
    'model  done',
    'tool read done',
    'model  done',
    'tool edit done',
    'model  done',
    'tool shell done',
    'model  done',
    'tool commit done',
    'model  done',
    'tool finish done',
  ])
  expect(task).toMatchObject({ claims: [{ text: 'The command ran' }], boxes: [{ done: true }] })

  const events = await world.events()
  const finished = ofType(events, 'agent.step.finished').filter((event) => event.data.step.runId === work!.id)
  expect(
    finished.map(({ data: { step } }) => [step.title, (step.figure ?? 'none').replace(/\d+\.\d s/, '0.6 s')]),
  ).toEqual([
    ['read src/cart.ts', '1 line'],
    ['edit src/cart.ts', '+1 −1'],
    [expect.stringContaining('mkdir -p node_modules'), 'exit 0 · 0.6 s'],
    ['commit feat(cart): add up the prices', '+1 −1'],
    ['finish', 'none'],
  ])
  // What a claim cites is the very event that shows the result.
  const shell = finished[2]!
  expect(task.claims[0]!.evidence).toEqual([shell.seq])
  expect(JSON.stringify(detail.steps)).toContain(`[ev ${shell.seq}] exit 0`)

  const author = await gitIn(`${world.root}/${task.branch}`, ['log', '-2', '--format=%an <%ae>%n%B'])
  expect(author).toContain(
    'Engineer 1 <engineer@crew.guildhall>\nfeat(cart): add up the prices\n\nTask: total-1\nModel: rehearsal',
  )

  const seats = await world.agents.seats(world.owner, world.projectId)
  expect(seats.map(({ name, state, runId }) => [name, state, runId])).toEqual([
    ['Manager 1', 'idle', null],
    ['Engineer 1', 'idle', null],
  ])
  const said = ofType(events, 'message.sent').map(({ data }) => [data.message.sender.kind, data.message.content])
  expect(said).toContainEqual(['agent', 'I read the cart first.'])
  expect(ofType(events, 'usage.recorded').length).toBe(6)
})

test('the reviewer sees a clean checkout of exactly that commit, its yes merges, and the checkout goes', async () => {
  const before = (await world.tasks.list(world.owner, world.projectId))[0]!
  const jobs = startTaskJobs({ queue: world.queue, tasks: world.tasks, log: createLog({ level: 'silent' }) })
  try {
    await until(async () => (await world.tasks.get(world.owner, before.id)).task.state === 'merged')
  } finally {
    await jobs.close()
  }
  const { task, checkRuns, reviews } = await world.tasks.get(world.owner, before.id)
  expect(checkRuns.every(({ passed }) => passed)).toBe(true)
  expect(reviews).toMatchObject([{ role: 'architect', verdict: 'approve', tree: checkRuns[0]!.tree }])
  const review = await world.agents.run(world.owner, reviews[0]!.runId)
  const shell = review.steps.find(({ name }) => name === 'shell')!
  const { text } = shell.output as { text: string }
  // Nothing between the folder and the newest subject: git status had nothing to say.
  expect(text).toMatch(new RegExp(`exit 0 · .*\\n\\S*/workspace/review/${review.run.id}\\n[a-z]+\\S*: .+$`))
  await until(async () => (await world.session.list('/workspace/review', 1)).length === 0)
  expect(await world.repository.head(world.projectId, 'main')).toBe(task.mergedAs)
  expect((await world.agents.seats(world.owner, world.projectId)).at(-1)).toMatchObject({
    name: 'Architect 1',
    state: 'idle',
  })
})
