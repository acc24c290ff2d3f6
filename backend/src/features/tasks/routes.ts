import { PlanId, ProjectId, TaskId } from '@guildhall/protocol/ids.ts'
import { page } from '@guildhall/protocol/paging.ts'
import {
  ApprovePlan,
  CancelTask,
  Plan,
  ReplaceCriteria,
  RequestPlanChanges,
  RequestTaskChanges,
  Task,
  TaskDetail,
} from '@guildhall/protocol/tasks.ts'
import { z } from 'zod'
import type { Actor } from '@guildhall/protocol/actor.ts'
import { forbidden } from '../../platform/errors.ts'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { TaskService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })
const OfPlan = z.object({ planId: PlanId })
const OfTask = z.object({ taskId: TaskId })

/** Decisions are a person's: an agent's token, should there ever be one, is refused here. */
const person = (actor: Actor): Actor & { kind: 'user' } => {
  if (actor.kind !== 'user') throw forbidden('Only a person can decide this')
  return actor
}

/** Plans and tasks. Routes by plan or task id are open to users and ask for the project's rights inside. */
export const taskRoutes: FastifyPluginAsyncZod<{
  tasks: TaskService
  nameOf: (actor: Actor & { kind: 'user' }) => Promise<string>
}> = async (app, { tasks, nameOf }) => {
  app.get(
    '/projects/:projectId/plans',
    { config: { access: 'project.read' }, schema: { params: InProject, response: { 200: page(Plan) } } },
    async ({ actor, params }) => ({ items: await tasks.plans(actor, params.projectId), nextCursor: null }),
  )
  app.get(
    '/projects/:projectId/tasks',
    { config: { access: 'project.read' }, schema: { params: InProject, response: { 200: page(Task) } } },
    async ({ actor, params }) => ({ items: await tasks.list(actor, params.projectId), nextCursor: null }),
  )
  app.post(
    '/plans/:planId/approve',
    { config: { access: 'user' }, schema: { params: OfPlan, body: ApprovePlan, response: { 200: Plan } } },
    ({ actor, params, body }) => tasks.approvePlan(person(actor), params.planId, body.version),
  )
  app.post(
    '/plans/:planId/request-changes',
    { config: { access: 'user' }, schema: { params: OfPlan, body: RequestPlanChanges, response: { 200: Plan } } },
    async ({ actor, params, body }) => {
      const who = person(actor)
      return tasks.requestChanges(who, params.planId, body.version, body.comment, await nameOf(who))
    },
  )
  app.get(
    '/tasks/:taskId',
    { config: { access: 'user' }, schema: { params: OfTask, response: { 200: TaskDetail } } },
    ({ actor, params }) => tasks.get(actor, params.taskId),
  )
  app.post(
    '/tasks/:taskId/approve',
    { config: { access: 'user' }, schema: { params: OfTask, response: { 200: Task } } },
    ({ actor, params }) => tasks.approve(person(actor), params.taskId),
  )
  app.post(
    '/tasks/:taskId/cancel',
    { config: { access: 'user' }, schema: { params: OfTask, body: CancelTask, response: { 200: Task } } },
    ({ actor, params, body }) => tasks.cancel(person(actor), params.taskId, body.reason),
  )
  app.post(
    '/tasks/:taskId/request-changes',
    { config: { access: 'user' }, schema: { params: OfTask, body: RequestTaskChanges, response: { 200: Task } } },
    async ({ actor, params, body }) => {
      const who = person(actor)
      return tasks.requestTaskChanges(who, params.taskId, body.comment, await nameOf(who))
    },
  )
  app.post(
    '/tasks/:taskId/replace',
    { config: { access: 'user' }, schema: { params: OfTask, body: ReplaceCriteria, response: { 200: Task } } },
    ({ actor, params, body }) => tasks.replace(person(actor), params.taskId, body.criteria),
  )
  app.post(
    '/tasks/:taskId/retry',
    { config: { access: 'user' }, schema: { params: OfTask, response: { 200: Task } } },
    ({ actor, params }) => tasks.retry(person(actor), params.taskId),
  )
}
