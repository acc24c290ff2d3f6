import { ProjectId } from '@guildhall/protocol/ids.ts'
import { Preview, PreviewBody, PreviewQuery, PreviewTicket, PreviewTicketBody } from '@guildhall/protocol/preview.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { PreviewService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })
const reading = { access: 'project.read' } as const
const working = { access: 'project.work' } as const
const root = '/api/projects/:projectId/preview'

export const previewRoutes: FastifyPluginAsyncZod<{ preview: PreviewService }> = async (app, { preview }) => {
  app.get(
    root,
    { config: reading, schema: { params: InProject, querystring: PreviewQuery, response: { 200: Preview } } },
    ({ actor, params, query }) => preview.get(actor, params.projectId, query.branch),
  )

  for (const order of ['start', 'stop', 'restart'] as const) {
    app.post(
      `${root}/${order}`,
      { config: working, schema: { params: InProject, body: PreviewBody, response: { 202: Preview } } },
      async ({ actor, params, body }, reply) =>
        reply.code(202).send(await preview[order](actor, params.projectId, body.branch)),
    )
  }

  app.post(
    `${root}/ticket`,
    { config: reading, schema: { params: InProject, body: PreviewTicketBody, response: { 200: PreviewTicket } } },
    ({ actor, params, body }) => preview.ticket(actor, params.projectId, body.branch, body.path),
  )
}
