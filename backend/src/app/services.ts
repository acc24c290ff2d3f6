import { join } from 'node:path'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { createAgentService, type AgentService } from '../features/agents/service.ts'
import { createChatService } from '../features/chat/service.ts'
import { createConversationService } from '../features/conversations/service.ts'
import { createIdentityService } from '../features/identity/service.ts'
import { createLlmService } from '../features/llm/service.ts'
import { createPreviewService } from '../features/preview/service.ts'
import { createAuthorize, createProjectService, type ProjectService } from '../features/projects/service.ts'
import { createPromptService } from '../features/prompts/service.ts'
import { createHub } from '../features/realtime/service.ts'
import { createRepositoryService, type RepositoryService } from '../features/repository/service.ts'
import { createSandboxService } from '../features/sandbox/service.ts'
import { createTaskService } from '../features/tasks/service.ts'
import { createUsageService } from '../features/usage/service.ts'
import type { Config } from '../platform/config.ts'
import type { Database } from '../platform/db/database.ts'
import type { Log } from '../platform/log.ts'
import type { PubSub } from '../platform/pubsub/pubsub.ts'
import type { Queue } from '../platform/queue/queue.ts'
import { readMainHead, readOverview } from './overview.ts'
import { createProbes } from './probes.ts'

const house = { kind: 'system' } as const
const templatesDir = new URL('../../../infrastructure/sandbox/templates/', import.meta.url).pathname

/**
 * Everything the product is, top to bottom in the order things need each other. Where an earlier part sets a later one
 * going, it gets a function that is called only once all stand; those parts carry their type by name, because
 * TypeScript cannot infer a circle. The caller owns database, queue and pubsub; `close` ends what was made here.
 */
export function buildServices({
  config,
  db,
  queue,
  pubsub,
  port = () => config.port,
  log,
}: {
  config: Config
  db: Database
  queue: Queue
  pubsub: PubSub
  /** Where this process listens, once it does. */
  port?: () => number
  log: Log
}) {
  const { jwtSecret, registration, dataDir } = config
  const identity = createIdentityService({ db, pubsub, jwtSecret, registration })

  const authorize = createAuthorize({ db })
  const projects: ProjectService = createProjectService({
    db,
    queue,
    authorize,
    provision: [
      { name: 'repository', run: (projectId) => repository.provision(projectId) },
      { name: 'sandbox', run: (projectId) => sandbox.provision(projectId) },
      { name: 'code', run: async (projectId) => void (await repository.ensureWorkTree(projectId, 'main')) },
      { name: 'preview', run: async (projectId) => void (await preview.start(house, projectId, 'main')) },
    ],
    remove: [
      { name: 'runs', run: (projectId) => agents.cancelProject(projectId) },
      { name: 'sandbox', run: (projectId) => sandbox.removeProject(projectId) },
      { name: 'repository', run: (projectId) => repository.removeProject(projectId) },
    ],
    openConversation: (tx, projectId) => conversations.open(tx, { projectId, title: 'Main' }),
    overview: (projectIds) => readOverview(db, projectIds),
    sandboxOf: (actor, projectId) => sandbox.get(actor, projectId),
    headOf: (projectId) => readMainHead(db, projectId),
    async rest(projectId) {
      await agents.cancelProject(projectId)
      await sandbox.stop(house, projectId)
    },
    log,
  })
  const templateOf = async (projectId: ProjectId) => (await projects.facts(projectId)).template

  const usage = createUsageService({ db, authorize })
  const sandbox = createSandboxService({
    db,
    authorize,
    config,
    log,
    ensureWorkTree: (projectId, branch) => repository.ensureWorkTree(projectId, branch),
  })
  const hub = createHub({
    db,
    pubsub,
    async signIn(ticket) {
      const taken = await identity.takeTicket('ws', ticket)
      return taken?.sessionId ? identity.actorOfSession(taken.sessionId) : null
    },
    actorOf: identity.actorOf,
    authorizeTopic: projects.authorizeTopic,
    terminals: sandbox.terminals,
    log,
  })
  const repository: RepositoryService = createRepositoryService({
    db,
    authorize,
    sandbox,
    templateOf,
    repositoriesDir: join(dataDir, 'repositories'),
    templatesDir,
    onMainFollowed: (projectId, what) => preview.mainFollowed(projectId, what),
    log,
  })

  const preview = createPreviewService({
    db,
    authorize,
    sandbox,
    repository,
    identity,
    queue,
    async projectOf(projectId) {
      const { project, template } = await projects.facts(projectId)
      const isArchived = project.status === 'archived'
      return { previewLabel: project.previewLabel, startCommand: template.startCommand, isArchived }
    },
    address: { publicUrl: config.publicUrl, domain: config.previewDomain, port },
    // Open preview frames outlive a restart of the platform.
    secret: config.jwtSecret,
    log,
  })

  const llm = createLlmService({ config, log })
  const prompts = createPromptService()
  const conversations = createConversationService({ db, authorize })
  const tasks = createTaskService({
    db,
    authorize,
    repository,
    sandbox,
    conversations,
    queue,
    async projectFacts(projectId) {
      const { project, template } = await projects.facts(projectId)
      return { autonomy: project.config.autonomy, setupCommand: template.setupCommand }
    },
    startRun: (tx, order) => agents.startRun(tx, order),
    cancelRuns: (taskId) => agents.cancelRuns(taskId),
    log,
  })
  const agents: AgentService = createAgentService({
    db,
    authorize,
    queue,
    hub,
    llm,
    usage,
    prompts,
    sandbox,
    repository,
    conversations,
    tasks,
    modelOf: async (projectId) => (await projects.facts(projectId)).project.config.model,
    log,
  })
  const chat = createChatService({
    db,
    authorize,
    conversations,
    llm,
    usage,
    tasks,
    runs: { start: agents.startRun, cancelConversation: agents.cancelConversation },
    nameOf: identity.nameOf,
  })

  const { engineState, wallsState } = sandbox
  const health = createProbes({ db, redisUrl: config.redisUrl, engineState, wallsState, models: llm.models })

  const parts = {
    identity,
    projects,
    usage,
    sandbox,
    hub,
    repository,
    preview,

    llm,
    conversations,
    tasks,
    agents,
    chat,
  }
  return {
    ...parts,
    authorize,
    probes: health.probes,
    /** Ends what was built here, last things first. */
    async close(): Promise<void> {
      await hub.close()
      agents.close()
      await projects.close()
      preview.close()
      await sandbox.close()
      identity.close()
      health.close()
    },
  }
}
export type Services = ReturnType<typeof buildServices>
