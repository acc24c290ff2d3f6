import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startProduct } from '../../e2e/support/product.ts'
import { startModelServer } from '../../backend/src/testing/model-server.ts'
import { rehearsal, sentences } from '../../backend/src/testing/scenarios/rehearsal.ts'
import { signUp } from './client.ts'
import { benchExec } from './exec.ts'
import { print, type Sample } from './measure.ts'
import { benchPage } from './page.ts'
import { turnScenario } from './turn-scenario.ts'

/** First figures of the whole path. Everything runs here and now; floors are measured in the same run. */

/** Milliseconds between the requests of one run, without the first ones, while code and caches warm up. */
function gaps(times: Map<number, number>): Sample {
  const steps = [...times.keys()].sort((a, b) => a - b).slice(5)
  return steps
    .slice(1)
    .map((step, index) => times.get(step)! - times.get(steps[index]!)!)
    .sort((a, b) => a - b)
}

async function benchTurn(): Promise<void> {
  const times = { bare: new Map<number, number>(), ours: new Map<number, number>() }
  let into = times.bare
  const model = await startModelServer({ scenario: turnScenario((step, at) => into.set(step, at)) })
  const bare = spawn(process.execPath, [fileURLToPath(new URL('bare-loop.ts', import.meta.url)), model.baseUrl], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = (await once(bare, 'exit')) as [number]
  if (code !== 0) throw new Error('the bare loop failed')
  const product = await startProduct({ modelUrl: model.baseUrl })
  try {
    const person = await signUp(product.url)
    const { project } = await person.call<{ project: { id: string } }>('POST', '/projects', { name: 'Bench' })
    await person.fact(project.id, 'project.provisioned')
    into = times.ours
    await person.call('POST', `/projects/${project.id}/chat`, { content: 'Read.' })
    await person.fact(project.id, 'agent.run.finished', { everyMs: 1_000 })
  } finally {
    await product.stop()
    await model.close()
  }
  console.log('\nOne tool turn: answer → tool → next request (a `read`; ours in the sandbox, every step stored)')
  const floor = gaps(times.bare)
  print('bare loop over the same SDK', floor)
  print('ours', gaps(times.ours), floor)
}

async function benchThread(): Promise<void> {
  const model = await startModelServer({ scenario: rehearsal })
  const started = performance.now()
  const product = await startProduct({ modelUrl: model.baseUrl })
  const up = performance.now() - started
  try {
    const person = await signUp(product.url)
    const story = async (name: string) => {
      const begin = performance.now()
      const { project } = await person.call<{ project: { id: string } }>('POST', '/projects', { name })
      const created = performance.now()
      await person.fact(project.id, 'project.provisioned')
      const usable = performance.now()
      await person.call('POST', `/projects/${project.id}/chat`, { content: sentences.banner(name) })
      const { data } = await person.fact(project.id, 'plan.submitted')
      const planned = performance.now()
      await person.call('POST', `/plans/${data.plan.id}/approve`, { version: data.plan.version })
      await person.fact(project.id, 'task.merged')
      const merged = performance.now()
      return [created - begin, usable - created, planned - usable, merged - planned, merged - usable]
    }
    const runs: number[][] = []
    for (let index = 0; index < 3; index++) runs.push(await story(`Bench ${index}`))
    const column = (index: number) => runs.map((run) => run[index]!).sort((a, b) => a - b)
    console.log('\nThe thread, with a model that needs no time (the first of three fills the package cache)')
    print('product: process start to answering', [up])
    print('create a project: the answer', column(0))
    print('create a project: code, packages, preview begun', column(1))
    print('chat → plan', column(2))
    print('approve → merged (work, checks, review, merge)', column(3))
    print('chat → merged', column(4))
    await benchPage(product.url, person)
  } finally {
    await product.stop()
    await model.close()
  }
}

await benchExec()
await benchTurn()
await benchThread()
