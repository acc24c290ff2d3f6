import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ConversationId, ProjectId, SessionId, UserId } from '@guildhall/protocol/ids.ts'
import type { ProjectRole } from '@guildhall/protocol/projects.ts'
import { randomBytes } from 'node:crypto'
import { conversationTable } from '../features/conversations/table.ts'
import { sessionTable, userTable } from '../features/identity/table.ts'
import { memberTable, projectTable } from '../features/projects/table.ts'
import type { Database } from '../platform/db/database.ts'
import { newId } from '../platform/ids.ts'

type Person = Actor & { kind: 'user' }
const word = () => randomBytes(6).toString('hex')

/** A registered person with a session, made by rows. */
export async function freshUser(db: Database): Promise<Person> {
  const userId = newId<UserId>()
  const sessionId = newId<SessionId>()
  const name = `user-${word()}`
  await db.system(async (tx) => {
    await tx.insert(userTable).values({ id: userId, username: name, displayName: name })
    await tx.insert(sessionTable).values({
      id: sessionId,
      userId,
      refreshHash: word(),
      device: 'test',
      expiresAt: new Date(Date.now() + 86_400_000),
    })
  })
  return { kind: 'user', userId, sessionId, role: 'user' }
}

/** An active project with its owner's membership and one conversation, and no sandbox. */
export async function freshProject(db: Database, owner: Actor): Promise<ProjectId> {
  if (owner.kind !== 'user') throw new Error('a project belongs to a person')
  const projectId = newId<ProjectId>()
  await db.system(async (tx) => {
    await tx.insert(projectTable).values({
      id: projectId,
      ownerId: owner.userId,
      name: 'Shop',
      slug: `shop-${word()}`,
      status: 'active',
      templateSlug: 'react-vite',
      previewLabel: `p${word()}`,
      config: { model: null, autonomy: 'review_plan', budgetUsd: null },
    })
    await tx.insert(conversationTable).values({ id: newId<ConversationId>(), projectId, title: 'Main' })
  })
  await join(db, projectId, owner, 'owner')
  return projectId
}

/** Makes a person a member. */
export async function join(db: Database, projectId: ProjectId, { userId }: Person, role: ProjectRole): Promise<void> {
  await db.system((tx) => tx.insert(memberTable).values({ projectId, userId, role }))
}
