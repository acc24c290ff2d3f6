import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { dirname, join } from 'node:path'
import type { ConversationId, ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { PlanInput } from '@guildhall/protocol/tasks.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { planComplaints } from '../../features/tasks/plan-rules.ts'
import { type CrewWorld, crewWorld } from '../crew.ts'
import { gitIn } from '../git.ts'
import { rehearsal, sentences } from './rehearsal.ts'
import type { Scene } from './scenario.ts'

const template = fileURLToPath(new URL('../../../../infrastructure/sandbox/templates/react-vite', import.meta.url))

const scene = (over: Partial<Scene>): Scene => ({
  role: 'dev_manager',
  task: null,
  runId: 'run',
  step: 0,
  round: 1,
  attempt: 1,
  system: '',
  said: [],
  played: [],
  tools: [],
  ...over,
})
const planOf = (...said: string[]) => {
  const reply = rehearsal.answer(scene({ said }))
  return { text: reply?.text ?? '', plan: PlanInput.parse(reply?.tools?.[0]?.input) }
}

describe('the manager', () => {
  test.each([
    [sentences.banner('Hello there'), ['banner']],
    [sentences.two('Above', 'Below'), ['banner', 'footer']],
    [sentences.red('Never'), ['stays-red']],
    ['Please make me a “todo” app\nwith dark mode', ['banner']],
  ])('plans %s', (wish, keys) => {
    const { plan } = planOf(wish)
    expect(plan.tasks.map((task) => task.key)).toEqual(keys)
    expect(planComplaints(plan, new Set())).toEqual([])
  })

  test('says that it is a script when it does not understand, and takes the person’s own words', () => {
    const { text, plan } = planOf('Build a shop with 3D models and a "checkout"')
    expect(text).toMatch(/scripted rehearsal, no model/)
    expect(text).toContain('Add a banner that says "Hello"')
    expect(plan.tasks[0]!.goal).toContain('"Build a shop with 3D models and a checkout"')
  })

  test('names the earlier words of a place as replaced, and no others', () => {
    const kept = [
      '2/footer/3 · Show a footer: Below: The footer says exactly "Below" (`node -e … -- Below`)',
      '1/banner/3 · Show a banner: Old: The banner says exactly "Old" (`node -e … -- Old`)',
      '1/banner/1 · Show a banner: Old: All tests pass (`npm test`)',
    ].join('\n')
    const { plan } = planOf(`<data kind="what main keeps">\n${kept}\n</data>\n\n${sentences.banner('New')}`)
    expect(plan.tasks.map(({ replaces }) => replaces)).toEqual([['1/banner/3']])
  })

  test('listens to the newest words, not to what was said before', () => {
    const before =
      '<data kind="conversation so far">\nAda: Add a banner that says "Old"\n</data>\n\nAdd a footer that says "New"'
    expect(planOf(before).plan.tasks.map(({ key, goal }) => [key, goal.includes('"New"')])).toEqual([['footer', true]])
  })
})

describe('the engineer, with the real tools on the template', () => {
  let world: CrewWorld
  let working: { close(): Promise<void> }

  // A world for each story: a local sandbox carries one project.
  beforeEach(async () => {
    world = await crewWorld(rehearsal)
    const folder = join(world.address.folder, 'templates', 'test')
    await cp(template, folder, { recursive: true, filter: (path) => !path.includes('node_modules') })
    const manifest = join(folder, 'package.json')
    // Building needs packages, and whether the page builds is the end-to-end test's question.
    const text = (await readFile(manifest, 'utf8')).replace('tsc --noEmit && vite build', 'node --version')
    await writeFile(manifest, text)
    // A login shell of this machine may put another Node first; in the image there is one only.
    const home = join(world.root, '.home')
    await mkdir(home, { recursive: true })
    await writeFile(join(home, '.profile'), `export PATH="${dirname(process.execPath)}:$PATH"\n`)
    working = world.agents.work()
  }, 60_000)
  afterEach(async () => {
    await working?.close()
    await world?.close()
  })

  async function play(wish: string) {
    const projectId: ProjectId = await world.project()
    const conversationId: ConversationId = (await world.conversations.main(projectId)).id
    const runId: RunId = await world.db.as(world.owner, async (tx) => {
      await world.conversations.post(tx, {
        ...{ actor: world.owner, conversationId, projectId, kind: 'chat', content: wish },
        sender: { kind: 'user', userId: world.owner.userId, name: 'Ada' },
      })
      const order = { projectId, conversationId, taskId: null, userId: world.owner.userId }
      return world.agents.startRun(tx, { ...order, role: 'dev_manager', purpose: 'plan' })
    })
    await settled(async () => (await world.agents.run(world.owner, runId)).run.state === 'done')
    const [plan] = await world.tasks.plans(world.owner, projectId)
    await world.tasks.approvePlan(world.owner, plan!.id, plan!.version)
    const tasks = () => world.tasks.list(world.owner, projectId)
    await settled(async () => (await tasks()).every((task) => task.state !== 'waiting' && task.state !== 'working'))
    return { projectId, tasks: await tasks() }
  }
  const settled = (isTrue: () => Promise<boolean>) => expect.poll(isTrue, { timeout: 40_000, interval: 50 }).toBe(true)
  const show = (branch: string, path: string) => gitIn(`${world.root}/${branch}`, ['show', `HEAD:${path}`])

  test.each([`Hello, it's a \\ b $HOME \`id\` & <b> 日本 🎉`, '-x --help'])(
    'shows a banner that says %s, with a test that was red first',
    async (words) => {
      const { tasks } = await play(sentences.banner(words))
      expect(tasks.map(({ state, reason }) => ({ state, reason }))).toEqual([{ state: 'checking', reason: null }])
      const { branch, claims, boxes } = tasks[0]!
      expect(boxes.every((box) => box.done)).toBe(true)
      expect(claims).toHaveLength(3)
      expect(await show(branch!, 'src/App.tsx')).toContain('    <>\n      <p className="banner">{banner}</p>\n')
      expect(await show(branch!, 'src/content.ts')).toMatch(/^export const banner = /m)
      const results = world.model.wire
        .at(-1)!
        .scene!.played.flatMap((call) => (call.name === 'shell' ? [call.result] : []))
      expect(results.map((text) => /exit (\d+)/.exec(text)?.[1])).toEqual(['1', '0', '0', '0'])
      expect(world.model.wire.every((entry) => entry.status === 200)).toBe(true)
    },
    60_000,
  )

  test('two branches grow at once and merge without a conflict', async () => {
    const { projectId, tasks } = await play(sentences.two('Above', 'Below'))
    expect(tasks.map(({ key, state }) => [key, state])).toEqual([
      ['banner', 'checking'],
      ['footer', 'checking'],
    ])
    const merged = await world.repository.mergeTree(projectId, tasks[0]!.head!, tasks[1]!.head!)
    expect(merged.kind).toBe('clean')
    expect(await show(tasks[1]!.branch!, 'src/App.tsx')).toContain('<footer className="foot">{footer}</footer>')
  }, 60_000)

  test('the story that stays red claims to be done with nothing but a test', async () => {
    const { tasks } = await play(sentences.red('Never'))
    expect(tasks.map(({ state }) => state)).toEqual(['checking'])
    await expect(show(tasks[0]!.branch!, 'src/content.ts')).resolves.not.toContain('banner')
  }, 60_000)
})

test('a reviewer reads the words’ file and then approves', () => {
  const opening = scene({ role: 'architect', task: 'banner' })
  expect(rehearsal.answer(opening)?.tools?.[0]).toMatchObject({ name: 'read', input: { path: 'src/content.ts' } })
  const played = [{ name: 'read', input: { path: 'src/content.ts' }, result: 'x', isError: false, event: 7 }]
  const second = rehearsal.answer({ ...opening, step: 1, played })
  expect(second?.tools?.[0]).toMatchObject({ name: 'verdict', input: { verdict: 'approve' } })
})
