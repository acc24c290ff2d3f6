import { Conversation, Message, MessageQuery } from '@guildhall/protocol/conversations.ts'
import { ConversationId, ProjectId } from '@guildhall/protocol/ids.ts'
import { page } from '@guildhall/protocol/paging.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { ConversationService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })
const OfConversation = z.object({ conversationId: ConversationId })

/** Mounted at /api. A conversation's messages are asked for by its own id: the service finds the project's rights. */
export const conversationRoutes: FastifyPluginAsyncZod<{ conversations: ConversationService }> = async (
  app,
  { conversations },
) => {
  app.get(
    '/projects/:projectId/conversations',
    { config: { access: 'project.read' }, schema: { params: InProject, response: { 200: page(Conversation) } } },
    async ({ actor, params }) => ({ items: await conversations.list(actor, params.projectId), nextCursor: null }),
  )

  app.get(
    '/conversations/:conversationId/messages',
    {
      config: { access: 'user' },
      schema: { params: OfConversation, querystring: MessageQuery, response: { 200: page(Message) } },
    },
    async ({ actor, params, query }) => conversations.messages(actor, params.conversationId, query),
  )
}
