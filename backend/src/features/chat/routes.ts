import { ChatAccepted, SendChat, StopChat } from '@guildhall/protocol/chat.ts'
import { ProjectId } from '@guildhall/protocol/ids.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { ChatService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })

/** Mounted at /api. */
export const chatRoutes: FastifyPluginAsyncZod<{ chat: ChatService }> = async (app, { chat }) => {
  app.post(
    '/projects/:projectId/chat',
    {
      config: { access: 'project.work' },
      schema: { params: InProject, body: SendChat, response: { 202: ChatAccepted } },
    },
    async ({ actor, params, body }, reply) => reply.code(202).send(await chat.send(actor, params.projectId, body)),
  )

  app.post(
    '/projects/:projectId/chat/stop',
    { config: { access: 'project.work' }, schema: { params: InProject, response: { 200: StopChat } } },
    async ({ actor, params }) => chat.stop(actor, params.projectId),
  )
}
