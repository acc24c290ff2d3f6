import { randomInt } from 'node:crypto'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { EventPage, EventQuery } from '@guildhall/protocol/events.ts'
import type { ProjectId, Sha } from '@guildhall/protocol/ids.ts'
import type {
  CreateProject,
  Project,
  ProjectCard,
  ProjectDetail,
  ProjectListQuery,
  ProjectTemplate,
  UpdateProject,
} from '@guildhall/protocol/projects.ts'
import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import type { z } from 'zod'
import type { Database, Db } from '../../platform/db/database.ts'
import { conflict, forbidden, invalid, notFound, stale } from '../../platform/errors.ts'
import { appendEvent, listEvents, projectTopic, topicHead, userTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import type { Log } from '../../platform/log.ts'
import type { Queue } from '../../platform/queue/queue.ts'
import type { Authorize } from './authorize.ts'
import { createMembers } from './members.ts'
import { listMembers } from './members-store.ts'
import { createProvisioner, type ProvisionStep } from './provisioner.ts'
import {
  defaultConfig,
  findProject,
  findStanding,
  findWithTemplate,
  insertMember,
  insertProject,
  listProjects,
  listTemplates,
  touchProjects,
  updateProject,
} from './store.ts'

export { type Authorize, createAuthorize } from './authorize.ts'
export type { ProvisionStep } from './provisioner.ts'
export type { Action } from '../../platform/http/access.ts'

type Person = Actor & { kind: 'user' }
/** What a line of the projects page says beyond the row itself; later features know it. */
export type ProjectOverview = Omit<ProjectCard, 'project' | 'role'>

export function createProjectService({
  db,
  queue,
  authorize,
  provision,
  remove,
  openConversation,
  overview,
  sandboxOf,
  headOf,
  rest,
  log,
}: {
  db: Database
  queue: Queue
  authorize: Authorize
  /** What makes a project usable, in order; and what takes it away again. */
  provision: ProvisionStep[]
  remove: ProvisionStep[]
  /** Makes the project's first conversation, in the transaction that makes the project. */
  openConversation: (tx: Db, projectId: ProjectId, actor: Actor) => Promise<unknown>
  overview: (projectIds: ProjectId[]) => Promise<Map<ProjectId, ProjectOverview>>
  sandboxOf: (actor: Actor, projectId: ProjectId) => Promise<Sandbox>
  /** The commit main stands at; null before there is one. */
  headOf: (projectId: ProjectId) => Promise<Sha | null>
  /** Stops an archived project's crew and puts its sandbox to sleep. */
  rest: (projectId: ProjectId) => Promise<void>
  log: Log
}) {
  const provisioner = createProvisioner({ db, provision, remove, log })

  async function change(
    actor: Actor,
    projectId: ProjectId,
    changes: Parameters<typeof updateProject>[2],
    { from, version }: { from?: (project: Project) => void; version?: number } = {},
  ): Promise<Project> {
    return db.as(actor, async (tx) => {
      const before = await findProject(tx, projectId)
      if (!before) throw notFound('Project')
      from?.(before)
      // What was looked at must still stand: an archive must not bring back a project that is deleted meanwhile.
      const seen = version ?? (from && before.version)
      const project = await updateProject(tx, projectId, changes, { version: seen })
      if (!project) throw stale('Someone changed this project meanwhile. Load it again.')
      await appendEvent(tx, projectTopic(projectId), { type: 'project.updated', actor, data: { project } })
      return project
    })
  }

  return {
    members: createMembers({ db, authorize }),

    async list(actor: Person, query: ProjectListQuery): Promise<{ items: ProjectCard[]; nextCursor: string | null }> {
      const { items, nextCursor } = await db.as(actor, (tx) => listProjects(tx, actor.userId, query))
      const facts = await overview(items.map(({ project }) => project.id))
      return { items: items.map((item) => ({ ...item, ...(facts.get(item.project.id) ?? nothingYet) })), nextCursor }
    },

    templates: (actor: Actor): Promise<ProjectTemplate[]> => db.as(actor, listTemplates),

    /** Everything a project needs to be seen, in one transaction; the rest follows step by step and is told as events. */
    async create(actor: Person, input: z.output<typeof CreateProject>): Promise<Project> {
      const id = newId<ProjectId>()
      const project = await db.as(actor, async (tx) => {
        const templates = await listTemplates(tx)
        if (!templates.some(({ slug }) => slug === input.templateSlug)) {
          throw invalid('There is no such template', { templateSlug: 'is not known' })
        }
        const values = {
          id,
          ownerId: actor.userId,
          name: input.name,
          description: input.description,
          status: 'creating' as const,
          templateSlug: input.templateSlug,
          previewLabel: randomLabel(),
          config: { ...defaultConfig, ...input.config },
          provisioning: { step: provision[0]?.name ?? '', done: 0, total: provision.length, error: null },
        }
        const created = await insertProject(tx, values, slugsOf(input.name, id))
        if (!created) throw new Error(`no free slug for project ${id}`)
        await insertMember(tx, { projectId: id, userId: actor.userId, role: 'owner' })
        await openConversation(tx, id, actor)
        await appendEvent(tx, projectTopic(id), { type: 'project.created', actor, data: { project: created } })
        const listed = { type: 'project.listed', actor, data: { projectId: id } } as const
        await appendEvent(tx, userTopic(actor.userId), listed)
        return created
      })
      await queue.ring('project.provision', id)
      return project
    },

    async read(actor: Person, projectId: ProjectId): Promise<ProjectDetail> {
      await authorize(actor, 'project.read', { projectId })
      // The log's place is read first: what happens between the two is then told twice rather than never.
      const seq = await db.as(actor, (tx) => topicHead(tx, projectTopic(projectId)))
      const [row, container, head] = await Promise.all([
        db.as(actor, async (tx) => {
          const project = await findProject(tx, projectId)
          const standing = await findStanding(tx, projectId, actor.userId)
          if (!project || !standing) throw notFound('Project')
          return { project, role: standing.role }
        }),
        sandboxOf(actor, projectId),
        headOf(projectId),
      ])
      return { ...row, container, head, seq }
    },

    /** Throws `stale` when `version` is not the newest. */
    async update(actor: Person, projectId: ProjectId, input: UpdateProject): Promise<Project> {
      await authorize(actor, 'project.manage', { projectId })
      const { version, config, ...changes } = input
      const now = await db.as(actor, (tx) => findProject(tx, projectId))
      if (!now) throw notFound('Project')
      return change(
        actor,
        projectId,
        { ...changes, ...(config && { config: { ...now.config, ...config } }) },
        { version },
      )
    },

    async archive(actor: Person, projectId: ProjectId): Promise<Project> {
      await authorize(actor, 'project.manage', { projectId })
      const onlyActive = (project: Project) => {
        if (project.status !== 'active') throw conflict(`A project that is ${project.status} cannot be archived`)
      }
      const archived = await change(
        actor,
        projectId,
        { status: 'archived', archivedAt: new Date() },
        { from: onlyActive },
      )
      await rest(projectId)
      return archived
    },

    async unarchive(actor: Person, projectId: ProjectId): Promise<Project> {
      await authorize(actor, 'project.manage', { projectId })
      const onlyArchived = (project: Project) => {
        if (project.status !== 'archived') throw conflict('This project is not archived')
      }
      return change(actor, projectId, { status: 'active', archivedAt: null }, { from: onlyArchived })
    },

    /** Goes on where creation failed. */
    async retry(actor: Person, projectId: ProjectId): Promise<Project> {
      await authorize(actor, 'project.manage', { projectId })
      const before = await db.as(actor, (tx) => findProject(tx, projectId))
      const { step = '', done = 0, total = provision.length } = before?.provisioning ?? {}
      const onlyFailed = (project: Project) => {
        if (project.status !== 'error') throw conflict('There is nothing to try again: creation has not failed')
      }
      const project = await change(
        actor,
        projectId,
        { status: 'creating', provisioning: { step, done, total, error: null } },
        { from: onlyFailed },
      )
      await queue.ring('project.provision', projectId)
      return project
    },

    /** Hides the project at once; a job then takes away sandbox, repository and rows. `confirmName` must be its name. */
    async remove(actor: Person, projectId: ProjectId, confirmName: string): Promise<void> {
      await authorize(actor, 'project.manage', { projectId })
      await db.as(actor, async (tx) => {
        const before = await findProject(tx, projectId)
        if (before?.name !== confirmName) {
          throw invalid('Type the name of the project to delete it', { confirmName: 'is not its name' })
        }
        for (const { userId } of await listMembers(tx, projectId)) {
          await appendEvent(tx, userTopic(userId), { type: 'project.unlisted', actor, data: { projectId } })
        }
        await updateProject(tx, projectId, { status: 'deleting' })
        await appendEvent(tx, projectTopic(projectId), { type: 'project.deleted', actor, data: { projectId } })
      })
      await queue.ring('project.remove', projectId)
    },

    /** The project's log after `after`, oldest first; `head` is the newest number there is. */
    async events(
      actor: Actor,
      projectId: ProjectId,
      { after, limit }: z.output<typeof EventQuery>,
    ): Promise<EventPage> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, async (tx) => {
        const topic = projectTopic(projectId)
        const items = await listEvents(tx, topic, after, limit)
        return { items, head: Math.max(await topicHead(tx, topic), items.at(-1)?.seq ?? 0) }
      })
    },

    /** For the queue's doors: goes on with creation or removal where it stands. */
    provision: (projectId: ProjectId): Promise<void> => provisioner.run(projectId, 'creating'),
    finishRemoval: (projectId: ProjectId): Promise<void> => provisioner.run(projectId, 'deleting'),
    sweep: (): Promise<void> => provisioner.sweep(),
    /** Something happened in these projects: they move up on the projects page. */
    touch: (projectIds: ProjectId[]): Promise<void> => db.system((tx) => touchProjects(tx, projectIds)),
    close: (): Promise<void> => provisioner.close(),

    /** For the house: the project and the template it was made from. Throws `not_found`. */
    async facts(projectId: ProjectId): Promise<{ project: Project; template: ProjectTemplate }> {
      const found = await db.system((tx) => findWithTemplate(tx, projectId))
      if (!found) throw notFound('Project')
      return found
    },

    /** Who may subscribe to a topic: a person's own, and the projects they may read. */
    async authorizeTopic(actor: Person, topic: string, right: 'read' | 'work' = 'read'): Promise<void> {
      const [kind, id] = topic.split(':')
      if (kind === 'project') return authorize(actor, `project.${right}`, { projectId: id as ProjectId })
      if (kind !== 'user' || id !== actor.userId) throw forbidden('This topic is not yours')
    },
  }
}
export type ProjectService = ReturnType<typeof createProjectService>

const nothingYet: ProjectOverview = {
  sandboxState: 'none',
  agentsAtWork: 0,
  branches: 0,
  waitsForYou: false,
  costUsd: '0.000000',
}

/** `my-shop`, `my-shop-2`, … and in the end one that is surely free. */
function* slugsOf(name: string, id: string): Generator<string> {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
  const base = plain.replace(/^-+|-+$/g, '').slice(0, 60) || 'project'
  yield base
  for (let n = 2; n <= 20; n++) yield `${base}-${n}`
  yield `${base}-${id.slice(-12)}`
}

const letters = 'abcdefghijklmnopqrstuvwxyz'
const signs = `${letters}0123456789`

/** The random first half of a preview's host name: 62 bits, starts with a letter, no dash (that parts the halves). */
function randomLabel(): string {
  const tail = Array.from({ length: 11 }, () => signs[randomInt(signs.length)])
  return letters[randomInt(letters.length)] + tail.join('')
}
