import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from 'drizzle-orm'
import { type CrewWorld, crewServices, crewWorld } from '../../testing/crew.ts'
import { engineerSteps, planOne } from '../../testing/crew-scripts.ts'
import { scripted } from '../../testing/scenarios/scenario.ts'

let world: CrewWorld
beforeAll(async () => {
  const slow = { tools: [{ name: 'shell', input: { command: 'sleep 1; echo slept' } }] }
  world = await crewWorld(scripted('slow', { dev_manager: [planOne], engineer: [slow, ...engineerSteps.slice(1)] }))
}, 60_000)
afterAll(() => world?.close())

const until = (isTrue: () => Promise<boolean>) => expect.poll(isTrue, { timeout: 20_000, interval: 25 }).toBe(true)

test('a worker that goes down lets its tool finish and hands the run over; the next goes on at once', async () => {
  const first = world.agents.work()
  await world.ask('Add up the cart')
  await until(async () => (await world.tasks.plans(world.owner, world.projectId)).length === 1)
  const [plan] = await world.tasks.plans(world.owner, world.projectId)
  await world.tasks.approvePlan(world.owner, plan!.id, plan!.version)
  const runs = () => world.agents.runs(world.owner, world.projectId, plan!.tasks[0]!.id)
  await until(async () => (await runs()).length === 1)
  const { id } = (await runs())[0]!
  await until(async () => (await world.agents.run(world.owner, id)).steps.some(({ name }) => name === 'shell'))
  await first.close()
  const left = await world.agents.run(world.owner, id)
  expect([left.run.state, left.steps.map(({ state }) => state)]).toEqual(['running', ['done', 'done']])

  const next = crewServices({ db: world.db, address: world.address, session: world.session })
  const working = next.agents.work()
  const begun = performance.now()
  await until(async () => (await world.agents.run(world.owner, id)).run.epoch === 2)
  expect(performance.now() - begun).toBeLessThan(5_000)
  await until(async () => (await world.agents.run(world.owner, id)).steps.length > 4)
  await next.agents.cancel(world.owner, id)
  await until(async () => (await world.agents.run(world.owner, id)).run.state === 'cancelled')

  // A task that was never told, because the worker died between the two writes, is told by the sweep.
  await until(async () => (await world.tasks.list(world.owner, world.projectId))[0]!.state === 'needs_you')
  await world.db.system(async (tx) => {
    await tx.execute(sql`update tasks set state = 'working'`)
    await tx.execute(sql`update runs set reported_at = null where id = ${id}`)
  })
  await until(async () => (await world.tasks.list(world.owner, world.projectId))[0]!.state === 'needs_you')
  await working.close()
  next.agents.close()
  await next.queue.close()
}, 60_000)
