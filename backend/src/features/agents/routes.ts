import { Agent, Run, RunDetail } from '@guildhall/protocol/agents.ts'
import { ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import { page } from '@guildhall/protocol/paging.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { AgentService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })
const OfRun = z.object({ runId: RunId })
const RunQuery = z.object({ taskId: TaskId.optional() })

/** Seats and runs. Routes by run id are open to users and ask for the project's rights inside. */
export const agentRoutes: FastifyPluginAsyncZod<{ agents: AgentService }> = async (app, { agents }) => {
  app.get(
    '/projects/:projectId/agents',
    { config: { access: 'project.read' }, schema: { params: InProject, response: { 200: page(Agent) } } },
    async ({ actor, params }) => ({ items: await agents.seats(actor, params.projectId), nextCursor: null }),
  )
  app.get(
    '/projects/:projectId/runs',
    {
      config: { access: 'project.read' },
      schema: { params: InProject, querystring: RunQuery, response: { 200: page(Run) } },
    },
    async ({ actor, params, query }) => ({
      items: await agents.runs(actor, params.projectId, query.taskId),
      nextCursor: null,
    }),
  )
  app.get(
    '/runs/:runId',
    { config: { access: 'user' }, schema: { params: OfRun, response: { 200: RunDetail } } },
    ({ actor, params }) => agents.run(actor, params.runId),
  )
  app.post(
    '/runs/:runId/cancel',
    { config: { access: 'user' }, schema: { params: OfRun, response: { 200: Run } } },
    ({ actor, params }) => agents.cancel(actor, params.runId),
  )
}
