import type { Actor } from '@guildhall/protocol/actor.ts'
import { ProjectId } from '@guildhall/protocol/ids.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Access, Action } from '../platform/http/access.ts'
import { AppError, forbidden, notFound, unauthenticated } from '../platform/errors.ts'
import type { OwnOrigins } from '../platform/http/origins.ts'

type Person = Actor & { kind: 'user' }

export interface DeclaredRoute {
  method: string
  url: string
  access: Access
}

/**
 * Puts the policy before every handler: no route without a declared `access` boots, and who may not call it is told so
 * before a body is read. Answers the list of routes as it grows.
 */
export function addGuard(
  app: FastifyInstance,
  {
    actorOf,
    authorize,
    origins,
  }: {
    actorOf: (accessToken: string) => Promise<Person | null>
    authorize: (actor: Actor, action: Action, resource: { projectId: ProjectId }) => Promise<void>
    origins: OwnOrigins
  },
): DeclaredRoute[] {
  const routes: DeclaredRoute[] = []
  const actors = new WeakMap<object, Person>()

  app.decorateRequest('actor', {
    getter(this: FastifyRequest) {
      const actor = actors.get(this.raw)
      if (!actor) throw new Error(`${this.method} ${this.routeOptions.url} is public: it has no actor`)
      return actor
    },
  })

  app.addHook('onRoute', ({ method, url, config }) => {
    const access = config?.access
    if (!access) throw new Error(`${String(method)} ${url} does not declare who may call it (config.access)`)
    if (access.startsWith('project.') && !url.includes('/:projectId')) {
      throw new Error(`${String(method)} ${url} asks for ${access} but has no :projectId`)
    }
    for (const each of [method].flat()) routes.push({ method: each, url, access })
  })

  app.addHook('onRequest', async (request) => {
    refuseForeignWrites(request, origins)
    const access = request.routeOptions.config.access
    // Without a matching route there is nothing to guard; the 404 follows.
    if (!access || access === 'public') return
    const actor = await actorOf(bearerOf(request) ?? '')
    if (!actor) throw unauthenticated()
    actors.set(request.raw, actor)
    if (access === 'user') return
    if (access === 'admin') {
      if (actor.role !== 'admin') throw forbidden('Only an administrator may do this')
      return
    }
    const projectId = ProjectId.safeParse((request.params as { projectId?: unknown }).projectId)
    if (!projectId.success) throw notFound('Project')
    await authorize(actor, access, { projectId: projectId.data })
  })
  return routes
}

/** Another site's page may send simple requests here; it may never change anything. */
function refuseForeignWrites(request: FastifyRequest, origins: OwnOrigins): void {
  const { origin } = request.headers
  if (origin === undefined || request.method === 'GET' || request.method === 'HEAD') return
  if (!origins.has(origin)) throw new AppError('forbidden', 'This address takes no requests from other sites')
}

export function bearerOf(request: Pick<FastifyRequest, 'headers'>): string | null {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ')
  return scheme?.toLowerCase() === 'bearer' && token ? token : null
}
