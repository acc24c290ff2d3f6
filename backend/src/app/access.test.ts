import { randomBytes } from 'node:crypto'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import { eq } from 'drizzle-orm'
import fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { userTable } from '../features/identity/table.ts'
import { signAccessToken } from '../features/identity/tokens.ts'
import type { Access, Action } from '../platform/http/access.ts'
import { createOwnOrigins } from '../platform/http/origins.ts'
import { newId } from '../platform/ids.ts'
import { freshApp, type TestApp } from '../testing/app.ts'
import { freshThings } from '../testing/things.ts'
import { freshProject, freshUser, join } from '../testing/world.ts'
import { addGuard, type DeclaredRoute } from './guard.ts'

type Person = Actor & { kind: 'user' }
type Verdict = 401 | 403 | 404 | 'allowed'

let app: TestApp
beforeAll(async () => {
  app = await freshApp()
})
afterAll(() => app.close())

const identities = ['none', 'garbage', 'stranger', 'admin', 'viewer', 'editor', 'owner'] as const
type Identity = (typeof identities)[number]

/** Routes that name a thing inside a project by its own id: the service asks for this right in the thing's project. */
const rightsInside: Record<string, Action> = {
  'GET /api/conversations/:conversationId/messages': 'project.read',
  'GET /api/tasks/:taskId': 'project.read',
  'POST /api/tasks/:taskId/approve': 'project.work',
  'POST /api/tasks/:taskId/cancel': 'project.work',
  'POST /api/tasks/:taskId/retry': 'project.work',
  'POST /api/tasks/:taskId/request-changes': 'project.work',
  'POST /api/tasks/:taskId/replace': 'project.work',
  'POST /api/plans/:planId/approve': 'project.work',
  'POST /api/plans/:planId/request-changes': 'project.work',
  'GET /api/runs/:runId': 'project.read',
  'POST /api/runs/:runId/cancel': 'project.work',
}
/** Bodies without which such a route would stop at its schema, before it asks for rights. */
const bodies: Record<string, unknown> = {
  'POST /api/tasks/:taskId/cancel': { reason: 'a test' },
  'POST /api/tasks/:taskId/request-changes': { comment: 'a test' },
  'POST /api/tasks/:taskId/replace': { criteria: ['1/a-test/1'] },
  'POST /api/plans/:planId/approve': { version: 1 },
  'POST /api/plans/:planId/request-changes': { version: 1, comment: 'a test' },
}

const rightsOf: Record<Identity, Action[]> = {
  none: [],
  garbage: [],
  stranger: [],
  admin: [],
  viewer: ['project.read'],
  editor: ['project.read', 'project.work'],
  owner: ['project.read', 'project.work', 'project.manage'],
}

/** What the declared access means for each identity; the test's own words, not the guard's code. */
function expected(access: Access, identity: Identity): Verdict {
  if (identity === 'none' || identity === 'garbage') return 401
  if (access === 'user') return 'allowed'
  if (access === 'admin') return identity === 'admin' ? 'allowed' : 403
  if (rightsOf[identity].length === 0) return 404
  return rightsOf[identity].includes(access as Action) ? 'allowed' : 403
}

/** Everyone and everything a route may name, made by rows; one world a route, since an allowed call may end it. */
async function world() {
  const { db } = app
  const people = {} as Record<Exclude<Identity, 'none' | 'garbage'>, Person>
  for (const name of ['stranger', 'admin', 'viewer', 'editor', 'owner'] as const) people[name] = await freshUser(db)
  await db.system((tx) => tx.update(userTable).set({ role: 'admin' }).where(eq(userTable.id, people.admin.userId)))
  const projectId = await freshProject(db, people.owner)
  await join(db, projectId, people.viewer, 'viewer')
  await join(db, projectId, people.editor, 'editor')
  const things = await freshThings(db, projectId, people.owner)
  const token = (identity: Identity) => {
    if (identity === 'none') return undefined
    if (identity === 'garbage') return randomBytes(40).toString('base64url')
    return signAccessToken(app.config.jwtSecret, people[identity])
  }
  return { ids: { projectId, ...things } as Record<string, string>, token }
}

const keyOf = ({ method, url }: DeclaredRoute) => `${method} ${url.replace(/(?<=.)\/$/, '')}`

async function verdictOf(route: DeclaredRoute, ids: Record<string, string>, token: string | undefined) {
  const path = route.url.replace(/:(\w+)/g, (_all, name: string) => ids[name] ?? newId()).replace('*', 'somewhere')
  const body = bodies[keyOf(route)]
  const { status, body: answer } = await app.call(path, { method: route.method, token, body })
  // A right that is missing hides the project or the thing; below it, something else may be missing for good reasons.
  const isHidden = status === 404 && /^(Project|Conversation|Task|Plan|Run) does not exist$/.test(answer?.detail ?? '')
  const verdict: Verdict = status === 401 || status === 403 ? status : isHidden ? 404 : 'allowed'
  return { verdict, status }
}

test('every route answers each of seven identities as it declares', { timeout: 120_000 }, async () => {
  const seen = new Set<string>()
  const wrong: string[] = []
  for (const route of app.server.routes) {
    const key = keyOf(route)
    if (route.method === 'HEAD' || seen.has(key)) continue
    seen.add(key)
    const namesAThing = /:(conversation|plan|task|run)Id/.test(route.url)
    const access = namesAThing ? rightsInside[key] : route.access
    if (!access) {
      wrong.push(`${key} names a thing inside a project; say in rightsInside what right it needs`)
      continue
    }
    const { ids, token } = await world()
    if (/\/(git|preview)/.test(route.url)) await app.services.repository.provision(ids['projectId'] as ProjectId)
    const statuses: number[] = []
    for (const identity of identities) {
      const { verdict, status } = await verdictOf(route, ids, token(identity))
      statuses.push(status)
      if (status >= 500 && status !== 503) wrong.push(`${key} broke for ${identity}: ${status}`)
      if (access === 'public') continue
      const wanted = expected(access, identity)
      if (verdict !== wanted)
        wrong.push(`${key} (${access}) for ${identity}: ${wanted}, but got ${verdict} (${status})`)
    }
    // What is public is the same for everyone.
    if (access === 'public' && new Set(statuses).size > 1)
      wrong.push(`${key} is public but differs: ${statuses.join()}`)
  }
  expect(wrong).toEqual([])
  expect(seen.size).toBeGreaterThan(40)
  expect(Object.keys(rightsInside).filter((key) => !seen.has(key))).toEqual([])
})

describe('a route refuses to boot', () => {
  const guarded = () => {
    const server = fastify()
    addGuard(server, {
      actorOf: async () => null,
      authorize: async () => undefined,
      origins: createOwnOrigins({ publicUrl: null, port: () => 1 }),
    })
    return server
  }

  test('without a declared access', async () => {
    expect(() => guarded().get('/open', async () => 'hello')).toThrow('does not declare who may call it')
  })

  test('when it asks for a right in a project that its path does not name', async () => {
    const config = { access: 'project.read' } as const
    expect(() => guarded().get('/things/:id', { config }, async () => 'hello')).toThrow('has no :projectId')
  })
})
