import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, UserId } from '@guildhall/protocol/ids.ts'
import type { AddMember, Member, ProjectRole } from '@guildhall/protocol/projects.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { conflict, invalid, notFound } from '../../platform/errors.ts'
import { appendEvent, projectTopic, userTopic } from '../../platform/events/events.ts'
import type { Authorize } from './authorize.ts'
import {
  changeOwner,
  deleteMember,
  findMember,
  findPerson,
  listMembers,
  lockOwners,
  updateMember,
} from './members-store.ts'
import { findProject, insertMember } from './store.ts'

type Person = Actor & { kind: 'user' }

/** Who is in a project. Someone always owns it: the last owner can neither leave nor step down (`conflict`). */
export function createMembers({ db, authorize }: { db: Database; authorize: Authorize }) {
  async function keepAnOwner(tx: Db, projectId: ProjectId, leaving: UserId): Promise<UserId[]> {
    const others = (await lockOwners(tx, projectId)).filter((userId) => userId !== leaving)
    if (others.length === 0) throw conflict('A project needs an owner: make someone else one first')
    return others
  }

  async function removeMember(actor: Person, projectId: ProjectId, userId: UserId): Promise<void> {
    await db.as(actor, async (tx) => {
      const member = await findMember(tx, projectId, userId)
      if (!member) throw notFound('Member')
      if (member.role === 'owner') {
        const [heir] = await keepAnOwner(tx, projectId, userId)
        const project = await findProject(tx, projectId)
        if (project?.ownerId === userId) await changeOwner(tx, projectId, heir!)
      }
      // Before the membership ends: whoever is no member any more may not write into these logs.
      await appendEvent(tx, userTopic(userId), { type: 'project.unlisted', actor, data: { projectId } })
      await appendEvent(tx, projectTopic(projectId), { type: 'member.removed', actor, data: { userId } })
      await deleteMember(tx, projectId, userId)
    })
  }

  return {
    async list(actor: Person, projectId: ProjectId): Promise<Member[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, (tx) => listMembers(tx, projectId))
    },

    async add(actor: Person, projectId: ProjectId, { login, role }: AddMember): Promise<Member> {
      await authorize(actor, 'project.manage', { projectId })
      return db.as(actor, async (tx) => {
        const userId = await findPerson(tx, login)
        if (!userId) throw invalid('There is no such account', { login: 'is not known' })
        if (!(await insertMember(tx, { projectId, userId, role }))) throw conflict('This person is a member already')
        const member = (await findMember(tx, projectId, userId))!
        await appendEvent(tx, projectTopic(projectId), { type: 'member.added', actor, data: { member } })
        await appendEvent(tx, userTopic(userId), { type: 'project.listed', actor, data: { projectId } })
        return member
      })
    },

    async change(actor: Person, projectId: ProjectId, userId: UserId, role: ProjectRole): Promise<Member> {
      await authorize(actor, 'project.manage', { projectId })
      return db.as(actor, async (tx) => {
        const before = await findMember(tx, projectId, userId)
        if (!before) throw notFound('Member')
        if (before.role === 'owner' && role !== 'owner') await keepAnOwner(tx, projectId, userId)
        await updateMember(tx, projectId, userId, role)
        const member = { ...before, role }
        await appendEvent(tx, projectTopic(projectId), { type: 'member.changed', actor, data: { member } })
        return member
      })
    },

    async remove(actor: Person, projectId: ProjectId, userId: UserId): Promise<void> {
      await authorize(actor, 'project.manage', { projectId })
      await removeMember(actor, projectId, userId)
    },

    /** Anyone may leave. */
    async leave(actor: Person, projectId: ProjectId): Promise<void> {
      await authorize(actor, 'project.read', { projectId })
      await removeMember(actor, projectId, actor.userId)
    },
  }
}
