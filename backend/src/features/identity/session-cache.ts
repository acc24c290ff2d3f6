import type { SessionId } from '@guildhall/protocol/ids.ts'
import type { PubSub } from '../../platform/pubsub/pubsub.ts'
import type { Person } from './store.ts'

const keptMs = 5_000
const maxEntries = 10_000
const channel = 'identity.session-ended'

/** Remembers for 5 s at most who a session stands for; an ended one is forgotten at once, in every process. */
export function createSessionCache({
  pubsub,
  find,
}: {
  pubsub: PubSub
  find: (sessionId: SessionId) => Promise<Person | null>
}) {
  const known = new Map<SessionId, { actor: Person; until: number }>()
  const forget = (sessionId: string) => known.delete(sessionId as SessionId)
  const unsubscribe = pubsub.subscribe(channel, forget)
  /** Bumped by each purge: what was asked before it is not kept after it. */
  let generation = 0

  return {
    async actor(sessionId: SessionId): Promise<Person | null> {
      const hit = known.get(sessionId)
      if (hit && hit.until > Date.now()) return hit.actor
      const asked = generation
      const actor = await find(sessionId)
      known.delete(sessionId)
      if (!actor || asked !== generation) return actor
      if (known.size >= maxEntries) known.clear()
      known.set(sessionId, { actor, until: Date.now() + keptMs })
      return actor
    },
    async purge(sessionId: SessionId): Promise<void> {
      generation++
      forget(sessionId)
      await pubsub.publish(channel, sessionId)
    },
    close: () => unsubscribe(),
  }
}
