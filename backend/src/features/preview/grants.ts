import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Actor } from '@guildhall/protocol/actor.ts'
import { ProjectId, SessionId, UserId } from '@guildhall/protocol/ids.ts'
import { z } from 'zod'
import { isAppError } from '../../platform/errors.ts'
import type { Authorize } from '../projects/service.ts'

/** What our cookie stands for: one person's session may see one preview. It gives no right by itself. */
const Grant = z.object({
  host: z.string(),
  projectId: ProjectId,
  userId: UserId,
  sessionId: SessionId,
  /** Milliseconds since 1970. */
  until: z.int(),
})
export type Grant = z.infer<typeof Grant>

export interface Rights {
  mayLook: boolean
  mayChange: boolean
}

export const grantS = 12 * 60 * 60
/** Rights that ended are noticed within this time. */
const rightsMs = 3_000
const maxKnown = 5_000

/**
 * Who may see which preview. The cookie is signed rather than kept, so that it holds in every process and over a
 * restart; whether its session lives and what its person may do is asked again and again.
 */
export function createGrants({
  secret = randomBytes(32).toString('hex'),
  authorize,
  actorOfSession,
}: {
  /** Without one, cookies end with this process. */
  secret?: string | undefined
  authorize: Authorize
  actorOfSession: (sessionId: SessionId) => Promise<(Actor & { kind: 'user' }) | null>
}) {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'guildhall preview cookie', 32))
  const sign = (payload: string) => createHmac('sha256', key).update(payload).digest()
  const known = new Map<string, { at: number; rights: Promise<Rights> }>()

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

  return {
    /** Answers the cookie's value. */
    give(grant: Omit<Grant, 'until'>): string {
      const payload = Buffer.from(JSON.stringify({ ...grant, until: Date.now() + grantS * 1_000 })).toString(
        'base64url',
      )
      return `${payload}.${sign(payload).toString('base64url')}`
    },

    /** Null for a value that is not ours, too old or another preview's. */
    find(value: string, host: string): Grant | null {
      const [payload = '', mark = '', ...more] = value.split('.')
      if (value.length > 1_000 || more.length > 0) return null
      const [given, right] = [Buffer.from(mark, 'base64url'), sign(payload)]
      if (given.length !== right.length || !timingSafeEqual(given, right)) return null
      const grant = Grant.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
      return grant.host === host && grant.until > Date.now() ? grant : null
    },

    rightsOf(grant: Grant): Promise<Rights> {
      const name = `${grant.sessionId}:${grant.userId}:${grant.projectId}`
      const last = known.get(name)
      if (last && Date.now() - last.at < rightsMs) return last.rights
      const rights = ask(grant)
      known.delete(name)
      known.set(name, { at: Date.now(), rights })
      rights.catch(() => known.delete(name))
      const [oldest] = known.keys()
      if (known.size > maxKnown && oldest !== undefined) known.delete(oldest)
      return rights
    },
  }
}
