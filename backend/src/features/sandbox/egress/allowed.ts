import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { AllowedHost } from '@guildhall/protocol/sandbox.ts'
import type { Database } from '../../../platform/db/database.ts'
import { conflict, invalid } from '../../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../../platform/events/events.ts'
import type { Authorize } from '../../projects/service.ts'
import { createOnce } from './limit.ts'
import { addTraffic, countHosts, deleteHost, findHost, insertHost, listHosts } from './store.ts'
import { parseTarget } from './target.ts'

/** Rights in a project, and agents have none of these: a model must not open its own way out. */
type Person = Actor & { kind: 'user' }

const maxHosts = 100

/** The hosts that owners of projects allow. `onWithdrawn` hears of one that is no longer, after it was stored. */
export function createAllowedHosts({
  db,
  authorize,
  onWithdrawn,
}: {
  db: Database
  authorize: Authorize
  onWithdrawn: (projectId: ProjectId) => void
}) {
  const once = createOnce<string[]>()

  function nameOf(target: string): string {
    const parsed = parseTarget(target)
    if (!parsed) {
      const wrong = 'Only an exact host name with a port can be allowed, such as api.example.com:443'
      throw invalid(wrong, { target: 'is no host:port' })
    }
    return `${parsed.host}:${parsed.port}`
  }

  return {
    async list(actor: Person, projectId: ProjectId): Promise<AllowedHost[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, (tx) => listHosts(tx, projectId))
    },

    /** Opens one `host:port`, from the next connection on; allowed already is fine. Throws `invalid`, `conflict`. */
    async allow(actor: Person, projectId: ProjectId, wanted: string): Promise<AllowedHost> {
      await authorize(actor, 'project.manage', { projectId })
      const target = nameOf(wanted)
      return db.as(actor, async (tx) => {
        const known = await findHost(tx, projectId, target)
        if (known) return known
        if ((await countHosts(tx, projectId)) >= maxHosts)
          throw conflict(`A project has at most ${maxHosts} such hosts`)
        const host = await insertHost(tx, { projectId, target, allowedBy: actor.userId })
        // Another owner was faster by a moment: it is that one's doing, and told already.
        if (!host) return (await findHost(tx, projectId, target))!
        await appendEvent(tx, projectTopic(projectId), { type: 'egress.allowed', actor, data: { host } })
        return host
      })
    },

    /** Closes one again and ends its open connections; not allowed is fine. */
    async withdraw(actor: Person, projectId: ProjectId, wanted: string): Promise<void> {
      await authorize(actor, 'project.manage', { projectId })
      const target = nameOf(wanted)
      await db.as(actor, async (tx) => {
        if (!(await deleteHost(tx, projectId, target))) return
        await appendEvent(tx, projectTopic(projectId), { type: 'egress.withdrawn', actor, data: { target } })
      })
      onWithdrawn(projectId)
    },

    /** For the way out itself. Read anew each time, so that a click counts at once; a crowd of askers shares one read. */
    targetsOf: (projectId: ProjectId): Promise<string[]> =>
      once(projectId, async () => {
        const hosts = await db.system((tx) => listHosts(tx, projectId))
        return hosts.map(({ target }) => target)
      }),

    addTraffic: (
      projectId: ProjectId,
      target: string,
      bytes: { sentBytes: number; receivedBytes: number },
    ): Promise<void> => db.system((tx) => addTraffic(tx, projectId, target, bytes)),
  }
}
