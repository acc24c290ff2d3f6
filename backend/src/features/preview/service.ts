import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Preview } from '@guildhall/protocol/preview.ts'
import type { Database } from '../../platform/db/database.ts'
import { createOwnOrigins } from '../../platform/http/origins.ts'
import type { Log } from '../../platform/log.ts'
import type { Queue } from '../../platform/queue/queue.ts'
import type { IdentityService } from '../identity/service.ts'
import type { Authorize } from '../projects/service.ts'
import type { RepositoryService } from '../repository/service.ts'
import { createDoor } from './door.ts'
import { branchLabelOf, hostOf, originOf, type PreviewAddress } from './host.ts'
import { createRunner, type Sandboxes } from './runner.ts'
import { ensurePreview, findPreview, listInStates, type PreviewRow, toPreview } from './store.ts'

type Person = Actor & { kind: 'user' }

const system: Actor = { kind: 'system' }
const ticketS = 30
const sweepMs = 2_000
/** A start that nobody has touched for so long was lost with its process. */
const lostAfterMs = 180_000

export interface PreviewOptions {
  db: Database
  authorize: Authorize
  sandbox: Sandboxes
  repository: Pick<RepositoryService, 'ensureWorkTree' | 'setUp' | 'portOf'>
  identity: Pick<IdentityService, 'issueTicket' | 'takeTicket' | 'actorOfSession'>
  queue: Queue
  /** What a preview needs of its project. Throws `not_found`. */
  projectOf: (projectId: ProjectId) => Promise<{ previewLabel: string; startCommand: string; isArchived?: boolean }>
  address: PreviewAddress
  /** Signs the cookies of visitors. Without one they end with this process, and hold in no other. */
  secret?: string
  log: Log
  /** For tests: how long a server may take to listen. */
  readyMs?: number
}

/** Dev servers of work trees, and the door through which a browser sees them: on a host of their own. */
export function createPreviewService(options: PreviewOptions) {
  const { db, authorize, sandbox, repository, identity, queue, projectOf, address, log } = options
  const origin = (host: string) => originOf(address, host)
  const runner = createRunner({ ...options, originOf: origin })
  const workbench = createOwnOrigins(address)
  const running = new Set<string>()
  let timer: NodeJS.Timeout | null = null

  const idOf = ({ projectId, host }: Pick<PreviewRow, 'projectId' | 'host'>) => `${projectId}.${host}`

  /** The preview's row, made when it is first asked for. Throws `not_found` for an unknown branch. */
  async function rowOf(projectId: ProjectId, branch: string): Promise<PreviewRow> {
    const port = await repository.portOf(projectId, branch)
    const { previewLabel, startCommand: command } = await projectOf(projectId)
    const host = hostOf(previewLabel, branch)
    return db.system((tx) =>
      ensurePreview(tx, { projectId, branch, branchLabel: branchLabelOf(branch), host, port, command }),
    )
  }

  const shown = (row: PreviewRow): Preview => toPreview(row, origin(row.host))

  async function order(actor: Actor, row: PreviewRow): Promise<PreviewRow> {
    const ordered = await runner.change(
      row,
      ['stopped', 'crashed', 'asleep'],
      { state: 'installing', error: null, logTail: '' },
      actor,
    )
    await queue.ring('preview.start', idOf(row))
    return ordered ?? (await db.system((tx) => findPreview(tx, row.projectId, row.branch))) ?? row
  }

  async function halt(actor: Actor, row: PreviewRow): Promise<PreviewRow> {
    const halted = await runner.change(
      row,
      ['installing', 'starting', 'ready', 'crashed', 'asleep'],
      { state: 'stopped', error: null, logTail: '' },
      actor,
    )
    await runner.stopProcess(row)
    return halted ?? row
  }

  /** A job's id is its row's: project and host. */
  async function answer(id: string): Promise<void> {
    const [projectId = '', host = ''] = id.split('.', 2)
    const states = ['installing', 'starting'] as const
    const rows = await db.system((tx) => listInStates(tx, [...states]))
    const row = rows.find((each) => each.projectId === projectId && each.host === host)
    if (!row || running.has(id)) return
    running.add(id)
    try {
      await runner.run(row.projectId, row.branch)
    } finally {
      running.delete(id)
    }
  }

  /** One look at everything that should be up or on its way. */
  async function look({ isBoot = false } = {}): Promise<void> {
    const rows = await db.system((tx) => listInStates(tx, ['installing', 'starting', 'ready', 'asleep']))
    for (const row of rows) {
      try {
        if (row.state === 'ready') {
          const now = await runner.check(row)
          if (now.state === 'asleep') await startIfAwake(now)
        } else if (row.state === 'asleep') await startIfAwake(row)
        else if (isBoot || Date.now() - row.updatedAt.getTime() > lostAfterMs)
          await queue.ring('preview.start', idOf(row))
      } catch (error) {
        // The others are looked at all the same, and this one again in a moment.
        log.warn({ err: error, projectId: row.projectId }, 'a preview could not be looked at')
      }
    }
  }

  /** Whose sandbox runs again gets its server back. */
  async function startIfAwake(row: PreviewRow): Promise<void> {
    const { state } = await sandbox.get(system, row.projectId)
    if (state === 'running') await order(system, row)
  }

  const door = createDoor({
    ...options,
    domain: address.domain,
    originOf: origin,
    // A policy cannot name an address in brackets; browsers complain about it on every page.
    ancestors: () => workbench.list().filter((each) => !each.includes('[')),
    // What is in the archive is looked at, not woken.
    wake: async (row) => ((await projectOf(row.projectId)).isArchived ? row : order(system, row)),
    check: (row) => runner.check(row),
  })

  return {
    /** Throws `not_found` for an unknown branch. */
    async get(actor: Actor, projectId: ProjectId, branch: string): Promise<Preview> {
      await authorize(actor, 'project.read', { projectId })
      return shown(await rowOf(projectId, branch))
    },

    /** Orders the dev server of a branch; one that is on its way or up is left alone. Answers at once. */
    async start(actor: Actor, projectId: ProjectId, branch: string): Promise<Preview> {
      await authorize(actor, 'project.work', { projectId })
      return shown(await order(actor, await rowOf(projectId, branch)))
    },

    async stop(actor: Actor, projectId: ProjectId, branch: string): Promise<Preview> {
      await authorize(actor, 'project.work', { projectId })
      return shown(await halt(actor, await rowOf(projectId, branch)))
    },

    async restart(actor: Actor, projectId: ProjectId, branch: string): Promise<Preview> {
      await authorize(actor, 'project.work', { projectId })
      return shown(await order(actor, await halt(actor, await rowOf(projectId, branch))))
    },

    /** An address that opens the preview once, within 30 s, at `path`. Seeing is enough for it. */
    async ticket(
      actor: Person,
      projectId: ProjectId,
      branch: string,
      path = '/',
    ): Promise<{ url: string; expiresIn: number }> {
      await authorize(actor, 'project.read', { projectId })
      const row = await rowOf(projectId, branch)
      const ticket = await identity.issueTicket({
        kind: 'preview',
        userId: actor.userId,
        sessionId: actor.sessionId,
        data: { projectId, branch },
        ttlS: ticketS,
      })
      const query = new URLSearchParams({ ticket, to: path })
      return { url: `${origin(row.host)}/__guildhall/open?${query}`, expiresIn: ticketS }
    },

    /** After main moved: a crashed server gets another try, one whose dependencies changed is started anew. */
    async mainFollowed(projectId: ProjectId, { isInstalled }: { isInstalled: boolean }): Promise<void> {
      const row = await db.system((tx) => findPreview(tx, projectId, 'main'))
      if (row?.state === 'crashed') await order(system, row)
      else if (row?.state === 'ready' && isInstalled) await order(system, await halt(system, row))
    },

    /** Takes starts from the queue and watches what runs, from now on. */
    work(): void {
      queue.work('preview.start', answer, { concurrency: 4 })
      const watch = () => {
        timer = setTimeout(() => {
          look()
            .catch((error: unknown) => log.error({ err: error }, 'previews could not be watched'))
            .finally(() => timer && watch())
        }, sweepMs)
        timer.unref()
      }
      watch()
    },

    /** At boot: starts that were under way are rung for again, and what is said to be ready is looked at. */
    resume: (): Promise<void> => look({ isBoot: true }),

    handle: door.handle,
    upgrade: door.upgrade,

    close(): void {
      if (timer) clearTimeout(timer)
      timer = null
      door.close()
    },
  }
}
export type PreviewService = ReturnType<typeof createPreviewService>
