import { ProjectId } from '@guildhall/protocol/ids.ts'
import { UsageSummary } from '@guildhall/protocol/usage.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { UsageService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })

/** Mounted at /api. */
export const usageRoutes: FastifyPluginAsyncZod<{ usage: UsageService }> = async (app, { usage }) => {
  app.get(
    '/projects/:projectId/usage/summary',
    { config: { access: 'project.read' }, schema: { params: InProject, response: { 200: UsageSummary } } },
    async ({ actor, params }) => usage.summary(actor, params.projectId),
  )
}
