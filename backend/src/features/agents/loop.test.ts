import type { RunDetail } from '@guildhall/protocol/agents.ts'
import { ToolName } from '@guildhall/protocol/crew.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CrewWorld, crewWorld } from '../../testing/crew.ts'
import { planOne } from '../../testing/crew-scripts.ts'
import type { Reply, Scene, Step } from '../../testing/scenarios/scenario.ts'
import { crew } from './roles/crew.ts'

/** What manager and engineer say next; each test sets its own. */
let manager: Step[] = []
let engineer: Step[] = []
const say = (steps: Step[], scene: Scene): Reply | null => {
  const step = steps[Math.min(scene.step, steps.length - 1)]
  return typeof step === 'function' ? step(scene) : (step ?? null)
}

let world: CrewWorld
let working: { close(): Promise<void> }
beforeAll(async () => {
  world = await crewWorld(
    { name: 'as told', answer: (scene) => say(scene.role === 'dev_manager' ? manager : engineer, scene) },
    {
      logLevel: process.env['TEST_LOG'] ?? 'silent',
      delayMs: 1,
      around: (deps) => ({
        ...deps,
        db: { ...deps.db, system: (work) => (isAway ? Promise.reject(new Error('away')) : deps.db.system(work)) },
      }),
    },
  )
  working = world.agents.work()
}, 60_000)
afterAll(async () => {
  await working?.close()
  await world?.close()
})

const until = (isTrue: () => Promise<boolean>) => expect.poll(isTrue, { timeout: 20_000, interval: 25 }).toBe(true)
const detailOf = (id: Parameters<CrewWorld['agents']['run']>[1]) => world.agents.run(world.owner, id)
async function ended(id: Parameters<CrewWorld['agents']['run']>[1]): Promise<RunDetail> {
  await until(async () => ['done', 'failed', 'cancelled'].includes((await detailOf(id)).run.state))
  return detailOf(id)
}
const toolTexts = ({ steps }: RunDetail) =>
  steps.flatMap(({ kind, output }) =>
    kind === 'tool' ? [(output as { text: string }).text.replace(/^\[ev \d+\] /, '')] : [],
  )

/** An approved task, worked on with these steps. */
async function startWork(steps: Step[]) {
  manager = [planOne]
  engineer = steps
  const known = (await world.tasks.plans(world.owner, world.projectId)).map(({ id }) => id)
  await ended(await world.ask('Add up the cart'))
  const plan = (await world.tasks.plans(world.owner, world.projectId)).find(({ id }) => !known.includes(id))!
  await world.tasks.approvePlan(world.owner, plan.id, plan.version)
  const taskId = plan.tasks[0]!.id
  await until(async () => (await world.agents.runs(world.owner, world.projectId, taskId)).length > 0)
  const [run] = await world.agents.runs(world.owner, world.projectId, taskId)
  return { taskId, runId: run!.id }
}
const work = async (steps: Step[]) => ended((await startWork(steps)).runId)
const call = (name: string, input: unknown): Step => ({ tools: [{ name, input }] })
/** As long as it is set, the worker cannot reach the database for its beats and sweeps. */
let isAway = false
const silent: Step = { text: 'I am done, I think.' }

describe('permissions', () => {
  const all = ToolName.options
  const table = Object.fromEntries(
    Object.values(crew).map(({ role, tools }) => [role, { plan: tools.plan, work: tools.work, review: tools.review }]),
  )
  test('each role has exactly these tools for each purpose', () => {
    const building = ['read', 'edit', 'write', 'shell', 'grep', 'commit', 'finish']
    const reviewing = ['read', 'grep', 'shell', 'verdict']
    expect(table).toEqual({
      dev_manager: { plan: ['read', 'grep', 'plan'], work: [], review: [] },
      product_manager: { plan: [], work: ['read', 'grep', 'edit', 'write', 'commit', 'finish'], review: [] },
      architect: { plan: [], work: ['read', 'grep', 'edit', 'write', 'shell', 'commit', 'finish'], review: reviewing },
      engineer: { plan: [], work: building, review: reviewing },
      platform_engineer: { plan: [], work: building, review: [] },
      data_analyst: { plan: [], work: building, review: [] },
    })
  })
  test('a manager that calls what it was not offered is refused every time, and the log shows it', async () => {
    const forbidden = [
      ...all.filter((name) => !['read', 'grep', 'plan'].includes(name)),
      'list',
      'constructor',
      '__proto__',
    ]
    manager = [{ tools: forbidden.map((name) => ({ name, input: {} })) }, { text: 'Then I only talk.' }]
    const detail = await ended(await world.ask('Edit something'))
    expect(toolTexts(detail)).toEqual(
      forbidden.map((name) => `The manager has no tool \`${name}\` here. Yours are: read, grep, plan.`),
    )
    const logged = (await world.events()).filter(
      (event) => event.type === 'agent.step.finished' && event.data.step.runId === detail.run.id,
    )
    expect(logged.length).toBe(forbidden.length)
    expect(detail.run.state).toBe('done')
  })
  test('an engineer may not give a verdict or plan', async () => {
    const detail = await work([
      call('verdict', { verdict: 'approve', summary: 'fine', comments: [] }),
      call('plan', {}),
      silent,
    ])
    expect(toolTexts(detail)).toEqual(
      ['verdict', 'plan'].map(
        (name) =>
          `The engineer has no tool \`${name}\` here. Yours are: read, edit, write, shell, grep, commit, finish.`,
      ),
    )
  })
  test('a run without tools for its purpose, or work without a task, is never begun', async () => {
    const order = {
      projectId: world.projectId,
      conversationId: world.conversation.id,
      userId: world.owner.userId,
      taskId: null,
    }
    const start = (rest: { role: 'dev_manager' | 'engineer'; purpose: 'work' | 'plan' }) =>
      world.db.as(world.owner, (tx) => world.agents.startRun(tx, { ...order, ...rest }))
    await expect(start({ role: 'dev_manager', purpose: 'work' })).rejects.toMatchObject({ code: 'invalid' })
    await expect(start({ role: 'engineer', purpose: 'work' })).rejects.toMatchObject({ code: 'invalid' })
  })
})

describe('what a model does wrong', () => {
  test('malformed JSON and wrong arguments are answered in words, and the run goes on', async () => {
    manager = [
      {
        tools: [
          { name: 'read', input: {}, raw: '{"path": "src/ca' },
          { name: 'read', input: { file: 'x' } },
        ],
      },
      { text: 'Now I know.' },
    ]
    const detail = await ended(await world.ask('Read'))
    expect(toolTexts(detail)[0]).toBe(
      'The arguments of read were not a JSON object: `{"path": "src/ca`. Call read again with valid JSON.',
    )
    expect(toolTexts(detail)[1]).toMatch(
      /^The arguments of read are not right\. `path`: .*Correct them and call read again\.$/,
    )
    expect(detail.run.state).toBe('done')
  })
  test('ending the turn without finishing brings one reminder, then a failure that the task shows', async () => {
    const { taskId, runId } = await startWork([silent])
    const detail = await ended(runId)
    expect(detail.run).toMatchObject({ state: 'failed', error: 'It stopped without finishing.' })
    expect(detail.steps.filter(({ kind }) => kind === 'model').length).toBe(2)
    await until(async () => (await world.tasks.get(world.owner, taskId)).task.state === 'needs_you')
    expect((await world.tasks.get(world.owner, taskId)).task.reason).toBe('It stopped without finishing.')
  })
  test('the same error three times brings a nudge, once more ends the run', async () => {
    const detail = await work([
      (scene) => ({ tools: [{ name: 'read', input: { path: 'nowhere.ts', offset: scene.step + 1 } }] }),
    ])
    expect(detail.run).toMatchObject({ state: 'failed', error: 'It was stuck: read failed in the same way 4 times.' })
    const notes = detail.steps.flatMap(({ kind, input }) =>
      kind === 'model' ? (input as { notes: string[] }).notes : [],
    )
    expect(notes).toEqual([expect.stringContaining('read has failed 3 times in the same way')])
  })
  test('the same action with the same result four times ends the run', async () => {
    const detail = await work([call('shell', { command: 'echo same' })])
    expect(detail.run).toMatchObject({
      state: 'failed',
      error: 'It was stuck: `echo same` gave the same result 4 times.',
    })
    expect(toolTexts(detail).length).toBe(4)
  })
  test('a run ends at its limit of steps', async () => {
    const limits = crew.engineer.limits
    crew.engineer.limits = { steps: 3, minutes: 30 }
    try {
      const detail = await work([(scene) => ({ tools: [{ name: 'shell', input: { command: `echo ${scene.step}` } }] })])
      expect(detail.run).toMatchObject({ state: 'failed', error: 'It reached its limit of 3 steps without finishing.' })
    } finally {
      crew.engineer.limits = limits
    }
  })
  test('NUL bytes, half surrogates and written escapes in output are stored and shown', async () => {
    const command = String.raw`printf 'a\0b'; printf '%s' '\u0000 \ud800'; printf '\xed\xa0\x80'`
    const detail = await work([
      call('shell', { command }),
      { tools: [{ name: 'shell', input: {}, raw: '{"command":"echo \\ud800"}' }] },
      silent,
    ])
    expect(toolTexts(detail)[0]).toMatch(/^exit 0 · .*\na\u2400b\\u0000 \\ud800/)
    expect(detail.steps.filter(({ kind, state }) => kind === 'tool' && state === 'done').length).toBe(2)
  })
  test('a model that answers with an error ends the run in plain words, in the chat too', async () => {
    manager = [
      { text: 'x', faults: Array.from({ length: 9 }, () => ({ kind: 'status' as const, status: 400, message: 'no' })) },
    ]
    const detail = await ended(await world.ask('Hello'))
    expect(detail.run.state).toBe('failed')
    expect(detail.run.error).toContain('The model provider refused the request (status 400)')
    const { items } = await world.conversations.messages(world.owner, world.conversation.id)
    expect(items.at(-1)).toMatchObject({
      kind: 'status',
      sender: { kind: 'system' },
      content: `The manager stopped. ${detail.run.error}`,
    })
  })
  test('a model that declines ends the run', async () => {
    manager = [{ text: 'I would rather not.', stop: 'refusal' }]
    expect((await ended(await world.ask('Hello'))).run).toMatchObject({
      state: 'failed',
      error: 'The model declined to go on with this.',
    })
  })
})

describe('a person', () => {
  test('stops a command: cancelled within two seconds, the step is marked, the task waits for them', async () => {
    const { taskId, runId } = await startWork([call('shell', { command: 'sleep 30' })])
    await until(async () => (await detailOf(runId)).steps.some(({ name }) => name === 'shell'))
    const begun = performance.now()
    await world.agents.cancel(world.owner, runId)
    const detail = await ended(runId)
    expect(performance.now() - begun).toBeLessThan(2_000)
    expect([detail.run.state, detail.steps.at(-1)!.state]).toEqual(['cancelled', 'interrupted'])
    await until(async () => (await world.tasks.get(world.owner, taskId)).task.state === 'needs_you')
  })
  test('stops a model in the middle of its answer', async () => {
    manager = [{ text: 'word '.repeat(20_000) }]
    const runId = await world.ask('Talk long')
    await until(async () => (await detailOf(runId)).steps.length > 0)
    const begun = performance.now()
    expect(await world.agents.cancelConversation(world.owner, world.conversation.id)).toBe(1)
    expect((await ended(runId)).run.state).toBe('cancelled')
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
  test('who writes while the manager works is read by the same run; who writes as it ends starts the next', async () => {
    manager = [call('grep', { pattern: 'total' }), (scene) => ({ text: `I heard: ${scene.said.at(-1)}` })]
    const first = await world.ask('First wish')
    const second = await world.ask('and make it green')
    expect(second).toBe(first)
    const detail = await ended(first)
    const { items } = await world.conversations.messages(world.owner, world.conversation.id)
    expect(items.filter(({ runId }) => runId === detail.run.id).at(-1)!.content).toContain('and make it green')
    expect(await world.ask('another')).not.toBe(first)
    await until(async () =>
      (await world.agents.runs(world.owner, world.projectId)).every(
        ({ state }) => state !== 'running' && state !== 'queued',
      ),
    )
  })
  test('a stranger sees no run and stops none', async () => {
    const { freshUser } = await import('../../testing/world.ts')
    const stranger = await freshUser(world.db)
    const [run] = await world.agents.runs(world.owner, world.projectId)
    await expect(world.agents.run(stranger, run!.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(world.agents.cancel(stranger, run!.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(world.agents.seats(stranger, world.projectId)).rejects.toMatchObject({ code: 'not_found' })
    expect(await world.agents.cancelConversation(stranger, world.conversation.id)).toBe(0)
  })
})

test('a database that is away for a moment stops nobody’s work in a person’s name: the run is taken up again', async () => {
  const { runId } = await startWork([call('shell', { command: 'sleep 6; echo slept' }), silent, silent])
  await until(async () => (await detailOf(runId)).steps.some(({ name }) => name === 'shell'))
  isAway = true
  setTimeout(() => (isAway = false), 4_500)
  const detail = await ended(runId)
  expect(JSON.stringify(detail.steps)).not.toContain('by a person')
  expect([detail.run.state, detail.run.epoch]).toEqual(['failed', 2])
  expect(detail.run.error).toBe('It stopped without finishing.')
}, 40_000)

test('git in shell has the name of the seat, as commits by the tool have', async () => {
  const commit =
    'echo x > named.txt && git add -A && git commit -qm "feat(x): by hand" && git log -1 --format="%an <%ae> %cn"'
  const detail = await work([call('shell', { command: commit }), silent, silent])
  expect(toolTexts(detail)[0]).toMatch(/Engineer \d+ <engineer@crew\.guildhall> Engineer \d+/)
})
