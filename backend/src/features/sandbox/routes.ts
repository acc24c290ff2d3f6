import { ProjectId, TerminalId } from '@guildhall/protocol/ids.ts'
import { page } from '@guildhall/protocol/paging.ts'
import {
  AllowedHost,
  AllowedHostAnswer,
  ContainerLogs,
  Exec,
  ExecResult,
  LogQuery,
  SandboxAnswer,
  StatsPoint,
  StatsQuery,
  Terminal,
} from '@guildhall/protocol/sandbox.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { SandboxService } from './service.ts'
import { Stats } from './session/messages.ts'

const InProject = z.object({ projectId: ProjectId })
const OfTerminal = InProject.extend({ terminalId: TerminalId })
const OfHost = InProject.extend({ target: z.string().max(300) })
const read = { access: 'project.read' } as const
const work = { access: 'project.work' } as const
const manage = { access: 'project.manage' } as const
const Reason = z.strictObject({ reason: z.string().max(500).optional() }).optional()

/** Mounted at /api. */
export const sandboxRoutes: FastifyPluginAsyncZod<{ sandbox: SandboxService }> = async (app, { sandbox }) => {
  app.get(
    '/projects/:projectId/container',
    { config: read, schema: { summary: 'The sandbox', params: InProject, response: { 200: SandboxAnswer } } },
    async ({ actor, params }) => ({ container: await sandbox.get(actor, params.projectId) }),
  )
  for (const verb of ['start', 'stop', 'restart'] as const) {
    app.post(
      `/projects/:projectId/container/${verb}`,
      {
        config: work,
        schema: {
          summary: `${verb} the sandbox`,
          params: InProject,
          body: Reason,
          response: { 202: SandboxAnswer },
        },
      },
      async ({ actor, params }, reply) =>
        reply.code(202).send({ container: await sandbox[verb](actor, params.projectId) }),
    )
  }
  app.get(
    '/projects/:projectId/container/logs',
    {
      config: read,
      schema: {
        summary: 'What the container itself wrote',
        params: InProject,
        querystring: LogQuery,
        response: { 200: ContainerLogs },
      },
    },
    async ({ actor, params, query }) => sandbox.logs(actor, params.projectId, query),
  )
  app.get(
    '/projects/:projectId/container/stats',
    {
      config: read,
      schema: {
        summary: 'What the sandbox uses now and used before',
        params: InProject,
        querystring: StatsQuery,
        response: { 200: z.object({ now: Stats.nullable(), series: z.array(StatsPoint) }) },
      },
    },
    async ({ actor, params, query }) => sandbox.stats(actor, params.projectId, query),
  )
  app.post(
    '/projects/:projectId/exec',
    {
      config: work,
      schema: { summary: 'Run a command', params: InProject, body: Exec, response: { 200: ExecResult } },
    },
    async ({ actor, params, body }) => sandbox.exec(actor, params.projectId, body),
  )
  app.get(
    '/projects/:projectId/egress',
    {
      config: read,
      schema: {
        summary: 'Hosts that its code may reach besides the package mirrors',
        params: InProject,
        response: { 200: page(AllowedHost) },
      },
    },
    async ({ actor, params }) => ({ items: await sandbox.hosts.list(actor, params.projectId), nextCursor: null }),
  )
  app.put(
    '/projects/:projectId/egress/:target',
    {
      config: manage,
      schema: { summary: 'Allow an exact host:port', params: OfHost, response: { 200: AllowedHostAnswer } },
    },
    async ({ actor, params }) => ({ host: await sandbox.hosts.allow(actor, params.projectId, params.target) }),
  )
  app.delete(
    '/projects/:projectId/egress/:target',
    { config: manage, schema: { summary: 'Allow it no longer', params: OfHost, response: { 204: z.null() } } },
    async ({ actor, params }, reply) => {
      await sandbox.hosts.withdraw(actor, params.projectId, params.target)
      return reply.code(204).send(null)
    },
  )
  app.get(
    '/projects/:projectId/terminals',
    {
      config: work,
      schema: { summary: 'Open terminals', params: InProject, response: { 200: page(Terminal) } },
    },
    async ({ actor, params }) => ({ items: await sandbox.listTerminals(actor, params.projectId), nextCursor: null }),
  )
  app.delete(
    '/projects/:projectId/terminals/:terminalId',
    { config: work, schema: { summary: 'End a terminal', params: OfTerminal, response: { 204: z.null() } } },
    async ({ actor, params }, reply) => {
      await sandbox.removeTerminal(actor, params.projectId, params.terminalId)
      return reply.code(204).send(null)
    },
  )
}
