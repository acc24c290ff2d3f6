import { EventPage, EventQuery } from '@guildhall/protocol/events.ts'
import { ProjectId, UserId } from '@guildhall/protocol/ids.ts'
import { page } from '@guildhall/protocol/paging.ts'
import {
  AddMember,
  ChangeMember,
  CreateProject,
  DeleteProject,
  Member,
  ProjectAnswer,
  ProjectCard,
  ProjectCreated,
  ProjectDetail,
  ProjectListQuery,
  ProjectTemplate,
  UpdateProject,
} from '@guildhall/protocol/projects.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { ProjectService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })
const OfMember = InProject.extend({ userId: UserId })
const MemberAnswer = z.object({ member: Member })

const user = { access: 'user' } as const
const read = { access: 'project.read' } as const
const manage = { access: 'project.manage' } as const

/** Mounted at /projects. */
export const projectRoutes: FastifyPluginAsyncZod<{ projects: ProjectService }> = async (app, { projects }) => {
  app.get(
    '/',
    {
      config: user,
      schema: { summary: 'Your projects', querystring: ProjectListQuery, response: { 200: page(ProjectCard) } },
    },
    async ({ actor, query }) => projects.list(actor, query),
  )
  app.post(
    '/',
    { config: user, schema: { summary: 'Make a project', body: CreateProject, response: { 201: ProjectCreated } } },
    async ({ actor, body }, reply) => {
      const project = await projects.create(actor, body)
      const { container } = await projects.read(actor, project.id)
      return reply.code(201).send({ project, container })
    },
  )
  app.get(
    '/templates',
    { config: user, schema: { summary: 'What a project can start from', response: { 200: page(ProjectTemplate) } } },
    async ({ actor }) => ({ items: await projects.templates(actor), nextCursor: null }),
  )
  app.get(
    '/:projectId',
    { config: read, schema: { summary: 'One project', params: InProject, response: { 200: ProjectDetail } } },
    async ({ actor, params }) => projects.read(actor, params.projectId),
  )
  app.patch(
    '/:projectId',
    {
      config: manage,
      schema: {
        summary: 'Name, description, settings',
        params: InProject,
        body: UpdateProject,
        response: { 200: ProjectAnswer },
      },
    },
    async ({ actor, params, body }) => ({ project: await projects.update(actor, params.projectId, body) }),
  )
  app.delete(
    '/:projectId',
    {
      config: manage,
      schema: { summary: 'Delete for good', params: InProject, body: DeleteProject, response: { 202: z.null() } },
    },
    async ({ actor, params, body }, reply) => {
      await projects.remove(actor, params.projectId, body.confirmName)
      return reply.code(202).send(null)
    },
  )
  for (const [verb, summary] of [
    ['archive', 'Make it read-only and stop its sandbox'],
    ['unarchive', 'Bring it back from the archive'],
    ['retry', 'Go on where its creation failed'],
  ] as const) {
    app.post(
      `/:projectId/${verb}`,
      { config: manage, schema: { summary, params: InProject, response: { 200: ProjectAnswer } } },
      async ({ actor, params }) => ({ project: await projects[verb](actor, params.projectId) }),
    )
  }
  app.get(
    '/:projectId/events',
    {
      config: read,
      schema: { summary: 'The log', params: InProject, querystring: EventQuery, response: { 200: EventPage } },
    },
    async ({ actor, params, query }) => projects.events(actor, params.projectId, query),
  )
  app.get(
    '/:projectId/members',
    { config: read, schema: { summary: 'Who is in it', params: InProject, response: { 200: page(Member) } } },
    async ({ actor, params }) => ({ items: await projects.members.list(actor, params.projectId), nextCursor: null }),
  )
  app.post(
    '/:projectId/members',
    {
      config: manage,
      schema: { summary: 'Add someone', params: InProject, body: AddMember, response: { 201: MemberAnswer } },
    },
    async ({ actor, params, body }, reply) => {
      const member = await projects.members.add(actor, params.projectId, body)
      return reply.code(201).send({ member })
    },
  )
  app.patch(
    '/:projectId/members/:userId',
    {
      config: manage,
      schema: { summary: 'Change a role', params: OfMember, body: ChangeMember, response: { 200: MemberAnswer } },
    },
    async ({ actor, params, body }) => ({
      member: await projects.members.change(actor, params.projectId, params.userId, body.role),
    }),
  )
  app.delete(
    '/:projectId/members/:userId',
    { config: manage, schema: { summary: 'Remove someone', params: OfMember, response: { 204: z.null() } } },
    async ({ actor, params }, reply) => {
      await projects.members.remove(actor, params.projectId, params.userId)
      return reply.code(204).send(null)
    },
  )
  app.delete(
    '/:projectId/membership',
    { config: read, schema: { summary: 'Leave', params: InProject, response: { 204: z.null() } } },
    async ({ actor, params }, reply) => {
      await projects.members.leave(actor, params.projectId)
      return reply.code(204).send(null)
    },
  )
}
