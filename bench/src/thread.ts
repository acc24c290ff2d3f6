import { startProduct } from '../../e2e/support/product.ts'
import { startModelServer } from '../../backend/src/testing/model-server.ts'
import { rehearsal, sentences } from '../../backend/src/testing/scenarios/rehearsal.ts'
import { signUp } from './client.ts'
import { benchExec } from './exec.ts'
import { print } from './measure.ts'
import { benchPage } from './page.ts'
import { benchTurn } from './turn.ts'

/** Figures of the whole path. Everything runs here and now; floors are measured in the same run. */

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

/** All of them, or the one that is named: `npm run thread -w bench -- turn`. */
const parts: Record<string, () => Promise<void>> = { exec: benchExec, turn: benchTurn, thread: benchThread }
const wanted = process.argv[2]
if (wanted !== undefined && !parts[wanted]) throw new Error(`there is ${Object.keys(parts).join(', ')}; not ${wanted}`)
for (const [name, part] of Object.entries(parts)) if (wanted === undefined || wanted === name) await part()
