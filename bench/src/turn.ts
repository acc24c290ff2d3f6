import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startProduct } from '../../e2e/support/product.ts'
import { startModelServer } from '../../backend/src/testing/model-server.ts'
import { signUp } from './client.ts'
import { print, type Sample } from './measure.ts'
import { turnScenario } from './turn-scenario.ts'

/** Milliseconds between the requests of one run, without the first ones, while code and caches warm up. */
function gaps(times: Map<number, number>): Sample {
  const steps = [...times.keys()].sort((a, b) => a - b).slice(5)
  return steps
    .slice(1)
    .map((step, index) => times.get(step)! - times.get(steps[index]!)!)
    .sort((a, b) => a - b)
}

/** What storing every step costs: the same turns by a bare loop and by a run of ours. */
export async function benchTurn(): Promise<void> {
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
