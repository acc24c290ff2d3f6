import { createLocalDriver } from '../features/sandbox/drivers/local.ts'
import { openSession, type SandboxSession } from '../features/sandbox/session/session.ts'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import type { WorkerDeps } from '../features/agents/worker.ts'
import type { Database } from '../platform/db/database.ts'
import { connectTo, type CrewAddress, crewServices } from './crew.ts'

/**
 * A worker in a process of its own that kills itself (-9) once, at the point it is told, in the step of the shell tool.
 * The points lie between the program's own writes, so nothing in the program knows of them.
 */
export const killPoints = [
  'before intent',
  'after intent',
  'in exec',
  'after exec',
  'before result commit',
  'after',
] as const
export type KillPoint = (typeof killPoints)[number]

const address = JSON.parse(process.env['CREW_ADDRESS']!) as CrewAddress
const point = process.env['KILL_POINT'] as KillPoint | undefined
const die = () => process.kill(process.pid, 'SIGKILL')

const driver = createLocalDriver({ dataDir: address.sandboxDataDir })
const slotId = address.slotId as SlotId
const session = openSession({ openBridge: () => driver.openBridge(slotId, 'ctl'), root: driver.rootOf(slotId) })

/** Where the worker stands with the shell step: an answer that calls it is stored, its command is out, it came back. */
let stage: 'elsewhere' | 'called' | 'came back' = 'elsewhere'

const db = connectTo(address)
const watchedDb: Database = {
  ...db,
  async as(actor, work) {
    if (stage === 'called' && point === 'before intent') die()
    if (stage !== 'came back') return db.as(actor, work)
    const result = await db.as(actor, async (tx) => {
      const inside = await work(tx)
      if (point === 'before result commit') await forever(die)
      return inside
    })
    if (point === 'after') await forever(die)
    return result
  },
}
const watchedSession: SandboxSession = {
  ...session,
  async exec(call) {
    if (call.argv[0] !== 'bash') return session.exec(call)
    if (point === 'after intent') await forever(die)
    const running = session.exec(call)
    if (point === 'in exec') setTimeout(die, 300)
    const outcome = await running
    if (point === 'after exec') await forever(die)
    stage = 'came back'
    return outcome
  },
}
const around = (deps: WorkerDeps): WorkerDeps => ({
  ...deps,
  llm: {
    ...deps.llm,
    async stream(request, options) {
      stage = 'elsewhere'
      const answer = await deps.llm.stream(request, options)
      // The next write stores the answer, the one after it would begin the tool.
      if (answer.toolUses.some(({ name }) => name === 'shell'))
        setTimeout(function wait() {
          stage = 'called'
        }, 0)
      return answer
    },
  },
})

/** SIGKILL takes a moment to arrive; nothing more may happen meanwhile. */
const forever = (act: () => void) => new Promise<never>(() => act())

const { agents } = crewServices({ db: watchedDb, address, session: watchedSession, around })
agents.work()
process.stdout.write('working\n')
