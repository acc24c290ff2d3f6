import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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
  /** Ends the supervisor without a word, as a killed container does. The files stay. */
  kill: () => Promise<void>
  /** Starts it again; answers a session of its own, as the old one is of no use any more. */
  wake: () => Promise<OpenSession>
  close: () => Promise<void>
}> {
  const dataDir = await mkdtemp(join(tmpdir(), 'guildhall-test-'))
  const driver = createLocalDriver({ dataDir })
  const slotId = newId<SlotId>()
  const spec = {
    slotId,
    uid: 20_000,
    limits: { memoryMiB: 512, cpus: 1, pids: 128, diskMiB: 1024 },
    image: '',
    volumeName: '',
  }
  await driver.create(spec)
  await driver.start(slotId)
  const root = driver.rootOf(slotId)
  const sessions: OpenSession[] = []
  const openOne = () => {
    const one = openSession({ openBridge: () => driver.openBridge(slotId, 'ctl'), root })
    sessions.push(one)
    return one
  }
  return {
    session: openOne(),
    root,
    openBridge: () => driver.openBridge(slotId, 'ctl'),
    async kill() {
      process.kill(Number(await readFile(join(dirname(root), 'supervisor.pid'), 'utf8')), 'SIGKILL')
    },
    async wake() {
      for (const old of sessions) old.close()
      await driver.start(slotId)
      return openOne()
    },
    async close() {
      for (const each of sessions) each.close()
      await driver.remove(slotId)
      await driver.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
