import http2 from 'node:http2'
import type { ProjectId, SlotId } from '@guildhall/protocol/ids.ts'
import type { Database } from '../../platform/db/database.ts'
import type { Log } from '../../platform/log.ts'
import type { SandboxDriver } from './driver.ts'
import type { Egress } from './egress/egress.ts'
import { ElasticBridge } from './session/elastic.ts'
import { keepSlots, type KeptSlot, releaseSlots, renewThrowaways } from './store.ts'

const leaseMs = 3_000
const beatMs = 1_000

/**
 * One process watches a sandbox at a time: it holds the lease in the row and the bridge through which everything the
 * sandbox asks of the outside passes. When it dies, another takes over within the lease.
 */
export function createKeeper({
  db,
  driver,
  egress,
  name,
  log,
}: {
  db: Database
  driver: SandboxDriver
  egress: Egress
  /** Of this process, unique. */
  name: string
  log: Log
}) {
  const held = new Map<SlotId, { session: http2.ServerHttp2Session | null }>()
  const throwaways = new Map<SlotId, ProjectId | null>()
  let kept: KeptSlot[] = []
  let beating: Promise<void> | null = null
  let isClosed = false

  async function open(slotId: SlotId, projectId: ProjectId): Promise<http2.ServerHttp2Session> {
    const bridge = new ElasticBridge(await driver.openBridge(slotId, 'egress'))
    const session = http2.performServerHandshake(bridge, {
      settings: { maxConcurrentStreams: 512, initialWindowSize: 1 << 20, enableConnectProtocol: false },
      maxSessionMemory: 128,
    })
    bridge.on('error', () => session.destroy())
    bridge.on('close', () => session.destroy())
    session.on('close', () => bridge.destroy())
    egress.attach(projectId, session)
    return session
  }

  function hold(slotId: SlotId, projectId: ProjectId): void {
    if (held.has(slotId)) return
    const entry: { session: http2.ServerHttp2Session | null } = { session: null }
    held.set(slotId, entry)
    open(slotId, projectId).then(
      (session) => {
        entry.session = session
        session.on('close', () => {
          if (held.get(slotId) === entry) held.delete(slotId)
        })
        if (held.get(slotId) !== entry) session.destroy()
      },
      (error: unknown) => {
        if (held.get(slotId) === entry) held.delete(slotId)
        log.debug({ err: error, slotId }, 'the way out of a sandbox could not be opened yet')
      },
    )
  }

  function drop(slotId: SlotId): void {
    const entry = held.get(slotId)
    held.delete(slotId)
    entry?.session?.destroy()
  }

  async function beat(): Promise<void> {
    const mine = await db.system(async (tx) => {
      await renewThrowaways(tx, name, [...throwaways.keys()])
      return keepSlots(tx, name, leaseMs)
    })
    if (isClosed) return
    kept = mine
    const ids = new Set(mine.map(({ id }) => id))
    for (const slotId of held.keys()) if (!ids.has(slotId) && !throwaways.has(slotId)) drop(slotId)
    for (const { id, projectId } of mine) hold(id, projectId)
    for (const [id, projectId] of throwaways) if (projectId) hold(id, projectId)
  }

  function beatSoon(): void {
    beating ??= beat()
      .catch((error: unknown) => log.error({ err: error }, 'the leases of sandboxes could not be renewed'))
      .finally(() => {
        beating = null
      })
  }
  const timer = setInterval(beatSoon, beatMs)
  beatSoon()

  return {
    /** The sandboxes of projects that this process watches now, as their rows stood at the last beat. */
    kept: (): readonly KeptSlot[] => kept,
    /**
     * A throw-away sandbox is kept by the process that made it, from its row on: on behalf of `projectId`, or with no
     * way out at all.
     */
    adopt(slotId: SlotId, projectId: ProjectId | null): { open(): void; letGo(): void } {
      throwaways.set(slotId, projectId)
      return {
        open() {
          if (projectId) hold(slotId, projectId)
        },
        letGo() {
          throwaways.delete(slotId)
          drop(slotId)
        },
      }
    },
    async close(): Promise<void> {
      isClosed = true
      kept = []
      clearInterval(timer)
      await beating
      for (const slotId of [...held.keys()]) drop(slotId)
      await db.system((tx) => releaseSlots(tx, name))
    },
  }
}
export type Keeper = ReturnType<typeof createKeeper>
