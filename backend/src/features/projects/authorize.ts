import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { ProjectRole } from '@guildhall/protocol/projects.ts'
import type { Database } from '../../platform/db/database.ts'
import { conflict, forbidden, notFound } from '../../platform/errors.ts'
import type { Action } from '../../platform/http/access.ts'
import { findStanding } from './store.ts'

const actionsOf: Record<ProjectRole, readonly Action[]> = {
  viewer: ['project.read'],
  editor: ['project.read', 'project.work'],
  owner: ['project.read', 'project.work', 'project.manage'],
}

/**
 * The one question about rights in a project, asked by every door. An agent has the rights of the person it works for,
 * the house has all, a platform admin none. Throws `not_found` to strangers, `forbidden` when the role is too low,
 * `conflict` for work in an archived project.
 */
export type Authorize = (actor: Actor, action: Action, resource: { projectId: ProjectId }) => Promise<void>

export function createAuthorize({ db }: { db: Database }): Authorize {
  return async (actor, action, { projectId }) => {
    if (actor.kind === 'system') return
    const userId = actor.kind === 'user' ? actor.userId : actor.onBehalfOf
    const standing = await db.as(actor, (tx) => findStanding(tx, projectId, userId))
    if (!standing || standing.status === 'deleting') throw notFound('Project')
    if (!actionsOf[standing.role].includes(action)) throw forbidden()
    if (action === 'project.work' && standing.status === 'archived') {
      throw conflict('This project is archived and can only be read. Take it out of the archive first.')
    }
  }
}
