import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Event } from '@guildhall/protocol/events.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { basename, dirname, join } from 'node:path'
import { createAgentService } from '../features/agents/service.ts'
import type { WorkerDeps, WorkerLimits } from '../features/agents/worker.ts'
import { createConversationService } from '../features/conversations/service.ts'
import { createLlmService } from '../features/llm/service.ts'
import { createAuthorize } from '../features/projects/service.ts'
import { createPromptService } from '../features/prompts/service.ts'
import { createRepositoryService } from '../features/repository/service.ts'
import type { SandboxSession } from '../features/sandbox/service.ts'
import type { TaskDeps } from '../features/tasks/deps.ts'
import { createTaskService } from '../features/tasks/service.ts'
import { createUsageService } from '../features/usage/service.ts'
import { createDatabase, type Database } from '../platform/db/database.ts'
import { listEvents, projectTopic } from '../platform/events/events.ts'
import { createLog } from '../platform/log.ts'
import { createQueue } from '../platform/queue/queue.ts'
import { freshDatabase } from './database.ts'
import { freshFolder, writeFiles } from './git.ts'
import { type ModelServer, startModelServer } from './model-server.ts'
import { freshLocalSandbox } from './sandbox.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { freshProject, freshUser } from './world.ts'

/** Everything a second process needs to work beside the first. */
export interface CrewAddress {
  appUrl: string
  systemUrl: string
  modelUrl: string
  folder: string
  sandboxDataDir: string
  slotId: string
}

const template = {
  'package.json': '{"name":"shop"}\n',
  'src/cart.ts': 'export const total = (prices: number[]) => 0\n',
  '.gitignore': 'node_modules/\n',
}

/** The services of one process around a sandbox that is there already. `around` may wrap what the worker is given. */
export function crewServices({
  db,
  address,
  session,
  limits,
  around = (deps) => deps,
  logLevel = 'silent',
}: {
  db: Database
  address: CrewAddress
  session: SandboxSession
  limits?: WorkerLimits
  around?: (deps: WorkerDeps) => WorkerDeps
  logLevel?: string
}) {
  const log = createLog({ level: logLevel })
  const authorize = createAuthorize({ db })
  const queue = createQueue({ systemUrl: address.systemUrl, log, graceMs: 500 })
  const sandbox = { get: async () => ({ state: 'running' as const }), session: async () => session }
  const repository = createRepositoryService({
    ...{ db, authorize, sandbox, log },
    templateOf: async () => ({ slug: 'test', setupCommand: null }),
    repositoriesDir: join(address.folder, 'repositories'),
    templatesDir: join(address.folder, 'templates'),
  })
  const conversations = createConversationService({ db, authorize })
  const usage = createUsageService({ db, authorize })
  const config = { anthropic: { apiKey: 'test', baseUrl: address.modelUrl }, modelLabel: 'scripted rehearsal' }
  const llm = createLlmService({ config, log, limits: { baseDelayMs: 10 } })
  const tasks = createTaskService({
    ...{ db, authorize, repository, conversations, queue, log },
    // Of the whole service, checks use only this.
    sandbox: { withFreshSandbox } as unknown as TaskDeps['sandbox'],
    projectFacts: async () => ({ autonomy: 'review_plan', setupCommand: null }),
    startRun: (tx, order) => agents.startRun(tx, order),
    cancelRuns: (taskId) => agents.cancelRuns(taskId),
  })
  const hub = { delta: () => undefined, deltaEnd: () => undefined }
  const agents = createAgentService({
    ...around({
      ...{ db, authorize, queue, hub, llm, usage, sandbox, repository, conversations, tasks, log },
      prompts: createPromptService(),
      modelOf: async () => null,
    }),
    limits,
  })
  return { queue, repository, conversations, usage, llm, tasks, agents }
}

/** A throw-away sandbox of the local driver, as checks run in. */
async function withFreshSandbox<T>(_projectId: ProjectId, work: (session: SandboxSession) => Promise<T>): Promise<T> {
  const fresh = await freshLocalSandbox()
  return work(fresh.session).finally(() => fresh.close())
}

/** A project with a repository, a local sandbox and a scripted model, and the crew's services in this process. */
export async function crewWorld(
  scenario: Scenario,
  options: {
    limits?: WorkerLimits
    around?: (deps: WorkerDeps) => WorkerDeps
    logLevel?: string
    delayMs?: number
  } = {},
) {
  const database = await freshDatabase()
  const { db, appUrl, systemUrl } = database
  const folder = await freshFolder()
  await writeFiles(join(folder.path, 'templates', 'test'), template)
  const model: ModelServer = await startModelServer({ scenario, delayMs: options.delayMs ?? 0 })
  const local = await freshLocalSandbox()
  const slot = dirname(local.root)
  const address: CrewAddress = {
    ...{ appUrl, systemUrl, folder: folder.path, modelUrl: model.baseUrl },
    sandboxDataDir: dirname(dirname(slot)),
    slotId: basename(slot),
  }
  const services = crewServices({ db, address, session: local.session, ...options })
  const owner = await freshUser(db)

  async function project(): Promise<ProjectId> {
    const projectId = await freshProject(db, owner)
    await services.repository.provision(projectId)
    return projectId
  }
  const projectId = await project()
  const conversation = await services.conversations.main(projectId)

  /** What chat does: the message and the manager's run, in one transaction. */
  const ask = (content: string, person: Actor & { kind: 'user' } = owner) =>
    db.as(person, async (tx) => {
      const sender = { kind: 'user' as const, userId: person.userId, name: 'Ada' }
      const about = { conversationId: conversation.id, projectId, sender, kind: 'chat' as const, content }
      await services.conversations.post(tx, { actor: person, ...about })
      const order = { projectId, conversationId: conversation.id, taskId: null, userId: person.userId }
      return services.agents.startRun(tx, { ...order, role: 'dev_manager', purpose: 'plan' })
    })

  return {
    ...services,
    ...{ db, owner, projectId, project, conversation, address, model, ask },
    session: local.session,
    /** Where /workspace is on this machine. */
    root: local.root,
    events: (): Promise<Event[]> => db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 10_000)),
    async close() {
      services.agents.close()
      await services.queue.close()
      await local.close()
      await model.close()
      await database.close()
      await folder.close()
    },
  }
}
export type CrewWorld = Awaited<ReturnType<typeof crewWorld>>

/** The database of an address, for a process of its own. */
export const connectTo = ({ appUrl, systemUrl }: CrewAddress): Database => createDatabase({ appUrl, systemUrl })
