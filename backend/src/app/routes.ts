import type { FastifyInstance } from 'fastify'
import { agentRoutes } from '../features/agents/routes.ts'
import { chatRoutes } from '../features/chat/routes.ts'
import { conversationRoutes } from '../features/conversations/routes.ts'
import { identityRoutes } from '../features/identity/routes.ts'
import { llmRoutes } from '../features/llm/routes.ts'
import { previewRoutes } from '../features/preview/routes.ts'
import { projectRoutes } from '../features/projects/routes.ts'
import { repositoryRoutes } from '../features/repository/routes.ts'
import { sandboxRoutes } from '../features/sandbox/routes.ts'
import { taskRoutes } from '../features/tasks/routes.ts'
import { usageRoutes } from '../features/usage/routes.ts'
import { healthRoutes } from './health.ts'
import type { Services } from './services.ts'

/** Every door of the API, each with the service it was made for. */
export async function addRoutes(app: FastifyInstance, services: Services): Promise<void> {
  const { identity, projects, usage, sandbox, repository, preview, llm, conversations, tasks, agents, chat } = services
  await app.register(healthRoutes, { prefix: '/api/health', probes: services.probes })
  await app.register(identityRoutes, { prefix: '/api/auth', identity })
  await app.register(projectRoutes, { prefix: '/api/projects', projects })
  await app.register(usageRoutes, { prefix: '/api', usage })
  await app.register(sandboxRoutes, { prefix: '/api', sandbox })
  await app.register(repositoryRoutes, { repository })
  await app.register(previewRoutes, { preview })
  await app.register(llmRoutes, { prefix: '/api', llm })
  await app.register(conversationRoutes, { prefix: '/api', conversations })
  await app.register(taskRoutes, { prefix: '/api', tasks, nameOf: ({ userId }) => identity.nameOf(userId) })
  await app.register(agentRoutes, { prefix: '/api', agents })
  await app.register(chatRoutes, { prefix: '/api', chat })
}
