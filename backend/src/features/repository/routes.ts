import { ProjectId } from '@guildhall/protocol/ids.ts'
import { page } from '@guildhall/protocol/paging.ts'
import {
  Branch,
  Commit,
  Diff,
  DiffQuery,
  FileAtRef,
  FileQuery,
  LogQuery,
  TreeEntry,
  TreeQuery,
} from '@guildhall/protocol/repository.ts'
import { z } from 'zod'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { RepositoryService } from './service.ts'

const InProject = z.object({ projectId: ProjectId })
const config = { access: 'project.read' } as const
const root = '/api/projects/:projectId/git'

/** Committed history. It is served from the bare repository, so it answers while the sandbox sleeps. */
export const repositoryRoutes: FastifyPluginAsyncZod<{ repository: RepositoryService }> = async (
  app,
  { repository },
) => {
  app.get(
    `${root}/branches`,
    { config, schema: { params: InProject, response: { 200: page(Branch) } } },
    async ({ actor, params }) => ({ items: await repository.branches(actor, params.projectId), nextCursor: null }),
  )

  app.get(
    `${root}/log`,
    { config, schema: { params: InProject, querystring: LogQuery, response: { 200: page(Commit) } } },
    ({ actor, params, query }) => repository.log(actor, params.projectId, query),
  )

  app.get(
    `${root}/diff`,
    { config, schema: { params: InProject, querystring: DiffQuery, response: { 200: Diff } } },
    ({ actor, params, query }) => repository.diff(actor, params.projectId, query),
  )

  app.get(
    `${root}/tree`,
    { config, schema: { params: InProject, querystring: TreeQuery, response: { 200: page(TreeEntry) } } },
    async ({ actor, params, query }) => ({
      items: await repository.tree(actor, params.projectId, query.ref),
      nextCursor: null,
    }),
  )

  app.get(
    `${root}/file`,
    { config, schema: { params: InProject, querystring: FileQuery, response: { 200: FileAtRef } } },
    ({ actor, params, query }) => repository.file(actor, params.projectId, query),
  )
}
