import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AppError, isAppError } from '../../platform/errors.ts'
import { listEvents, projectTopic, userTopic } from '../../platform/events/events.ts'
import { createLog } from '../../platform/log.ts'
import { createQueue, type Queue } from '../../platform/queue/queue.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshUser } from '../../testing/world.ts'
import { createAuthorize, createProjectService, type ProvisionStep } from './service.ts'

const log = createLog({ level: 'silent' })
let database: TestDatabase
let queue: Queue

beforeAll(async () => {
  database = await freshDatabase()
  queue = createQueue({ systemUrl: database.systemUrl, log })
})
afterAll(async () => {
  await queue.close()
  await database.close()
})

const noSandbox = (projectId: ProjectId): Sandbox => ({
  projectId,
  state: 'none',
  driver: 'none',
  isolated: true,
  image: null,
  limits: { memoryMiB: 0, cpus: 0, pids: 0, diskMiB: 0 },
  disk: null,
  startedAt: null,
  error: null,
})

function house({ provision = [], remove = [] }: { provision?: ProvisionStep[]; remove?: ProvisionStep[] } = {}) {
  const { db } = database
  const authorize = createAuthorize({ db })
  const projects = createProjectService({
    db,
    queue,
    authorize,
    provision,
    remove,
    openConversation: async () => undefined,
    overview: async () => new Map(),
    sandboxOf: async (_actor, projectId) => noSandbox(projectId),
    headOf: async () => null,
    rest: async () => undefined,
    log,
  })
  return { db, authorize, projects }
}

const input = { name: 'Corner Shop', description: '', templateSlug: 'react-vite' }
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  )
const typesOf = async (projectId: ProjectId) =>
  (await database.db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 100))).map(({ type }) => type)

describe('creation', () => {
  test('goes step by step to an active project, and the log tells it', async () => {
    const ran: string[] = []
    const step = (name: string) => ({ name, run: async () => void ran.push(name) })
    const { projects, db } = house({ provision: [step('repository'), step('sandbox')] })
    const owner = await freshUser(db)
    const project = await projects.create(owner, input)
    expect(project).toMatchObject({ status: 'creating', slug: 'corner-shop', ownerId: owner.userId, version: 1 })
    await projects.provision(project.id)
    expect(ran).toEqual(['repository', 'sandbox'])
    expect(await projects.read(owner, project.id)).toMatchObject({
      project: { status: 'active', provisioning: null },
      role: 'owner',
      seq: 4,
    })
    expect(await typesOf(project.id)).toEqual([
      'project.created',
      'project.provision.advanced',
      'project.provision.advanced',
      'project.provisioned',
    ])
    const mine = await db.as(owner, (tx) => listEvents(tx, userTopic(owner.userId), 0, 10))
    expect(mine.map(({ type }) => type)).toEqual(['project.listed'])
  })

  test('that fails keeps the reason and goes on where it stopped when tried again', async () => {
    const ran: string[] = []
    let isBroken = true
    const { projects, db } = house({
      provision: [
        { name: 'repository', run: async () => void ran.push('repository') },
        {
          name: 'sandbox',
          run: async () => {
            if (isBroken) throw new AppError('no_engine', 'No container engine answers')
            ran.push('sandbox')
          },
        },
      ],
    })
    const owner = await freshUser(db)
    const { id } = await projects.create(owner, input)
    await projects.provision(id)
    expect((await projects.read(owner, id)).project).toMatchObject({
      status: 'error',
      provisioning: { step: 'sandbox', done: 1, total: 2, error: 'No container engine answers' },
    })
    isBroken = false
    await projects.retry(owner, id)
    await projects.provision(id)
    expect((await projects.read(owner, id)).project.status).toBe('active')
    expect(ran).toEqual(['repository', 'sandbox'])
    expect(await codeOf(projects.retry(owner, id))).toBe('conflict')
  })

  test('two workers at once make one project', async () => {
    let runs = 0
    const slow = {
      name: 'slow',
      run: async () => {
        runs++
        await new Promise((resolve) => setTimeout(resolve, 200))
      },
    }
    const one = house({ provision: [slow] })
    const other = house({ provision: [slow] })
    const owner = await freshUser(one.db)
    const { id } = await one.projects.create(owner, input)
    await Promise.all([one.projects.provision(id), other.projects.provision(id), other.projects.provision(id)])
    expect(runs).toBe(1)
  })

  test('that a dead worker left half done is taken up by the sweep', async () => {
    const { projects, db } = house({ provision: [{ name: 'only', run: async () => undefined }] })
    const owner = await freshUser(db)
    const { id } = await projects.create(owner, input)
    await projects.sweep()
    await expect.poll(async () => (await projects.read(owner, id)).project.status).toBe('active')
  })

  test('that ends while its owner deletes it does not bring it back, and neither does its failure', async () => {
    for (const isBroken of [false, true]) {
      let finishStep = () => {}
      const step = () =>
        new Promise<void>((done, fail) => (finishStep = isBroken ? () => fail(new Error('broken')) : done))
      const { projects, db } = house({ provision: [{ name: 'last', run: step }] })
      const owner = await freshUser(db)
      const { id } = await projects.create(owner, input)
      const making = projects.provision(id)
      await expect.poll(async () => (await typesOf(id)).includes('project.provision.advanced')).toBe(true)
      await projects.remove(owner, id, input.name)
      finishStep()
      await making
      expect(await codeOf(projects.read(owner, id))).toBe('not_found')
      await projects.finishRemoval(id)
      expect(await typesOf(id)).toEqual([])
    }
  })

  test('the same name twice gets another slug; an unknown template is refused', async () => {
    const { projects, db } = house()
    const owner = await freshUser(db)
    const made = await Promise.all([1, 2, 3].map(() => projects.create(owner, input)))
    expect(made.map(({ slug }) => slug).sort()).toEqual(['corner-shop', 'corner-shop-2', 'corner-shop-3'])
    expect(await codeOf(projects.create(owner, { ...input, templateSlug: 'nope' }))).toBe('invalid')
  })
})

describe('rights', () => {
  test('a stranger finds nothing, whatever the door; an agent has its person rights', async () => {
    const { projects, authorize, db } = house()
    const [owner, stranger] = [await freshUser(db), await freshUser(db)]
    const { id } = await projects.create(owner, input)
    expect(await codeOf(projects.read(stranger, id))).toBe('not_found')
    expect(await codeOf(projects.events(stranger, id, { after: 0, limit: 10 }))).toBe('not_found')
    expect((await projects.list(stranger, { status: 'active', limit: 50 })).items).toEqual([])
    expect(await codeOf(projects.authorizeTopic(stranger, userTopic(owner.userId)))).toBe('forbidden')
    const agent = { kind: 'agent', agentId: 'a' as never, runId: 'r' as never, role: 'engineer' } as const
    const work = { projectId: id }
    expect(await codeOf(authorize({ ...agent, onBehalfOf: owner.userId }, 'project.work', work))).toBe('done')
    expect(await codeOf(authorize({ ...agent, onBehalfOf: stranger.userId }, 'project.read', work))).toBe('not_found')
  })

  test('members: viewers read, editors work, owners manage, and someone always owns it', async () => {
    const { projects, authorize, db } = house()
    const [owner, friend] = [await freshUser(db), await freshUser(db)]
    const { id } = await projects.create(owner, input)
    const name = await nameOf(friend.userId)
    await projects.members.add(owner, id, { login: name.toUpperCase(), role: 'viewer' })
    expect(await codeOf(projects.members.add(owner, id, { login: name, role: 'viewer' }))).toBe('conflict')
    const may = async () =>
      Promise.all(
        (['project.read', 'project.work', 'project.manage'] as const).map((action) =>
          codeOf(authorize(friend, action, { projectId: id })),
        ),
      )
    expect(await may()).toEqual(['done', 'forbidden', 'forbidden'])
    await projects.members.change(owner, id, friend.userId, 'editor')
    expect(await may()).toEqual(['done', 'done', 'forbidden'])
    expect(await codeOf(projects.members.leave(owner, id))).toBe('conflict')
    expect(await codeOf(projects.members.change(owner, id, owner.userId, 'viewer'))).toBe('conflict')
    await projects.members.change(owner, id, friend.userId, 'owner')
    await projects.members.leave(owner, id)
    expect(await codeOf(projects.read(owner, id))).toBe('not_found')
    expect((await projects.read(friend, id)).project.ownerId).toBe(friend.userId)
    const left = await db.as(owner, (tx) => listEvents(tx, userTopic(owner.userId), 0, 10))
    expect(left.map(({ type }) => type)).toEqual(['project.listed', 'project.unlisted'])
  })

  const nameOf = async (userId: string) =>
    (
      await database.db.system((tx) =>
        tx.execute<{ username: string }>(`select username from users where id = '${userId}'`),
      )
    ).rows[0]!.username
})

describe('a project', () => {
  test('is changed by whoever saw its newest version', async () => {
    const { projects, db } = house()
    const owner = await freshUser(db)
    const { id } = await projects.create(owner, input)
    const changed = await projects.update(owner, id, { name: 'Shop', config: { autonomy: 'auto' }, version: 1 })
    expect(changed).toMatchObject({ name: 'Shop', version: 2, config: { autonomy: 'auto', model: null } })
    expect(await codeOf(projects.update(owner, id, { name: 'Late', version: 1 }))).toBe('stale')
  })

  test('in the archive can be read, not worked in, and comes back', async () => {
    const { projects, authorize, db } = house()
    const owner = await freshUser(db)
    const { id } = await projects.create(owner, input)
    expect(await codeOf(projects.archive(owner, id))).toBe('conflict')
    await projects.provision(id)
    await projects.archive(owner, id)
    expect(await codeOf(authorize(owner, 'project.work', { projectId: id }))).toBe('conflict')
    expect((await projects.list(owner, { status: 'active', limit: 50 })).items).toEqual([])
    expect((await projects.list(owner, { status: 'archived', limit: 50 })).items).toHaveLength(1)
    expect(await projects.unarchive(owner, id)).toMatchObject({ status: 'active' })
    expect(await codeOf(authorize(owner, 'project.work', { projectId: id }))).toBe('done')
  })

  test('is deleted by its name, disappears at once and leaves no rows', async () => {
    const removed: string[] = []
    const { projects, db } = house({ remove: [{ name: 'sandbox', run: async (id) => void removed.push(id) }] })
    const owner = await freshUser(db)
    const { id } = await projects.create(owner, input)
    expect(await codeOf(projects.remove(owner, id, 'corner shop'))).toBe('invalid')
    await projects.remove(owner, id, 'Corner Shop')
    expect(await codeOf(projects.read(owner, id))).toBe('not_found')
    await projects.finishRemoval(id)
    expect(removed).toEqual([id])
    expect(await typesOf(id)).toEqual([])
    await db.system(async (tx) => {
      const rows = await tx.execute(`select 1 from projects where id = '${id}'`)
      expect(rows.rows).toEqual([])
    })
  })

  test('that is deleted stays deleted, whatever else its owner asks for at the same moment', async () => {
    const { projects, db } = house()
    const owner = await freshUser(db)
    for (let round = 0; round < 5; round++) {
      const { id, name } = await projects.create(owner, input)
      await projects.provision(id)
      const asked = [projects.archive(owner, id), projects.remove(owner, id, name)]
      await Promise.all([...asked, projects.archive(owner, id)].map(codeOf))
      expect(await codeOf(projects.read(owner, id))).toBe('not_found')
    }
  })

  test('list pages stay put while new projects come in, and search finds by text', async () => {
    const { projects, db } = house()
    const owner = await freshUser(db)
    for (let n = 0; n < 7; n++) await projects.create(owner, { ...input, name: `100% shop ${n}` })
    const first = await projects.list(owner, { status: 'active', limit: 3 })
    await projects.create(owner, { ...input, name: 'latecomer' })
    const second = await projects.list(owner, { status: 'active', limit: 3, cursor: first.nextCursor! })
    const third = await projects.list(owner, { status: 'active', limit: 3, cursor: second.nextCursor! })
    const names = [first, second, third].flatMap(({ items }) => items.map(({ project }) => project.name))
    expect(names).toEqual([6, 5, 4, 3, 2, 1, 0].map((n) => `100% shop ${n}`))
    expect(third.nextCursor).toBeNull()
    expect((await projects.list(owner, { status: 'active', limit: 50, q: '0% SHOP 4' })).items).toHaveLength(1)
    expect((await projects.list(owner, { status: 'active', limit: 50, q: '1_0' })).items).toHaveLength(0)
  })
})
