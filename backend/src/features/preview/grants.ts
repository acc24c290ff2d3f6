import { createHash, randomBytes } from 'node:crypto'
import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, SessionId, UserId } from '@guildhall/protocol/ids.ts'
import { isAppError } from '../../platform/errors.ts'
import type { Authorize } from '../projects/service.ts'

/** What our cookie stands for: one person's session may see one preview. Lives as long as this process. */
export interface Grant {
  host: string
  projectId: ProjectId
  userId: UserId
  sessionId: SessionId
  until: number
}
export interface Rights {
  mayLook: boolean
  mayChange: boolean
}

export const grantS = 12 * 60 * 60
const maxGrants = 20_000
/** Rights that ended are noticed within this time. */
const rightsMs = 3_000

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex')

/** Who may see which preview. Secrets are kept as hashes, rights are asked again and again. */
export function createGrants({
  authorize,
  actorOfSession,
}: {
  authorize: Authorize
  actorOfSession: (sessionId: SessionId) => Promise<(Actor & { kind: 'user' }) | null>
}) {
  const grants = new Map<string, Grant>()
  const known = new Map<Grant, { at: number; rights: Promise<Rights> }>()

  const may = (actor: Actor, action: 'project.read' | 'project.work', projectId: ProjectId) =>
    authorize(actor, action, { projectId }).then(
      () => true,
      (error: unknown) => {
        if (isAppError(error)) return false
        throw error
      },
    )

  async function ask({ sessionId, userId, projectId }: Grant): Promise<Rights> {
    const actor = await actorOfSession(sessionId)
    if (actor?.userId !== userId) return { mayLook: false, mayChange: false }
    const mayLook = await may(actor, 'project.read', projectId)
    return { mayLook, mayChange: mayLook && (await may(actor, 'project.work', projectId)) }
  }

  function drop(hash: string, grant: Grant) {
    grants.delete(hash)
    known.delete(grant)
  }

  return {
    /** Answers the secret for the cookie. */
    give(grant: Omit<Grant, 'until'>): string {
      const secret = randomBytes(32).toString('base64url')
      grants.set(hashOf(secret), { ...grant, until: Date.now() + grantS * 1_000 })
      const [oldest] = grants
      if (grants.size > maxGrants && oldest) drop(...oldest)
      return secret
    },

    /** Null for a secret that is unknown, too old or another preview's. */
    find(secret: string, host: string): Grant | null {
      const hash = hashOf(secret)
      const grant = grants.get(hash)
      if (!grant) return null
      if (grant.until < Date.now()) {
        drop(hash, grant)
        return null
      }
      return grant.host === host ? grant : null
    },

    rightsOf(grant: Grant): Promise<Rights> {
      const last = known.get(grant)
      if (last && Date.now() - last.at < rightsMs) return last.rights
      const rights = ask(grant)
      known.set(grant, { at: Date.now(), rights })
      rights.catch(() => known.delete(grant))
      return rights
    },
  }
}
export type Grants = ReturnType<typeof createGrants>
