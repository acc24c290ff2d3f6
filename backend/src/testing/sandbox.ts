import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import { createLocalDriver } from '../features/sandbox/drivers/local.ts'
import { openSession, type OpenSession } from '../features/sandbox/session/session.ts'
import { newId } from '../platform/ids.ts'

/** A sandbox of the local driver by itself, without database or service; about 100 ms. `root` is its /workspace. */
export async function freshLocalSandbox(): Promise<{
  session: OpenSession
  root: string
  /** One more bridge to its supervisor, as another process would open it. */
  openBridge: () => Promise<Duplex>
  close: () => Promise<void>
}> {
  const dataDir = await mkdtemp(join(tmpdir(), 'guildhall-test-'))
  const driver = createLocalDriver({ dataDir })
  const slotId = newId<SlotId>()
  const spec = { slotId, uid: 20_000, limits: { memoryMiB: 512, cpus: 1, pids: 128 }, image: '', volumeName: '' }
  await driver.create(spec)
  await driver.start(slotId)
  const root = driver.rootOf(slotId)
  const session = openSession({ openBridge: () => driver.openBridge(slotId, 'ctl'), root })
  return {
    session,
    root,
    openBridge: () => driver.openBridge(slotId, 'ctl'),
    async close() {
      session.close()
      await driver.remove(slotId)
      await driver.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
