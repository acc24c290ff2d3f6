import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import { createDockerDriver } from '../../backend/src/features/sandbox/drivers/docker.ts'
import { connectEngine, findEngine } from '../../backend/src/features/sandbox/drivers/engine.ts'
import { openSession, type OpenSession } from '../../backend/src/features/sandbox/session/session.ts'
import { newId } from '../../backend/src/platform/ids.ts'
import { print, repeat } from './measure.ts'

const image = process.env['SANDBOX_IMAGE'] ?? 'guildhall-sandbox:latest'

async function hostTrue(): Promise<void> {
  await once(spawn('true', { stdio: 'ignore' }), 'exit')
}

/** The supervisor needs a moment after its container started; a bridge opened before that ends at once. */
async function untilItAnswers(session: OpenSession): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await session.exec({ argv: ['true'] })
      return
    } catch (error) {
      if (tries >= 200) throw error
      await wait(20)
    }
  }
}

/** `true` on the host, by an engine exec, and by the supervisor's stream; and how long a sandbox takes to answer. */
export async function benchExec(): Promise<void> {
  const engine = connectEngine(await findEngine({}))
  const driver = createDockerDriver({ instance: `bench-${randomUUID()}` })
  const slots: SlotId[] = []
  const slot = async () => {
    const slotId = newId<SlotId>()
    slots.push(slotId)
    const limits = { memoryMiB: 4096, cpus: 2, pids: 1024, diskMiB: 1024 }
    await driver.create({ slotId, uid: 20_900 + slots.length, limits, image, volumeName: `guildhall-bench-${slotId}` })
    await driver.start(slotId)
    const session = openSession({ openBridge: () => driver.openBridge(slotId, 'ctl'), root: driver.rootOf(slotId) })
    await untilItAnswers(session)
    return { slotId, session }
  }
  try {
    console.log('A sandbox from nothing to its first command (image present)')
    const floor = await repeat(5, async () => {
      const bare = await engine.createContainer({
        Image: image,
        Entrypoint: [],
        Cmd: ['true'],
        HostConfig: { NetworkMode: 'none', AutoRemove: false },
      })
      await bare.start()
      await bare.wait()
      await bare.remove()
    })
    const cold = await repeat(5, async () => (await slot()).session.close())
    print('engine alone: create, start, `true`, remove', floor)
    print('cold sandbox: volume, container, supervisor', cold, floor)

    const { slotId, session } = await slot()
    const [container] = await engine.listContainers({ filters: { label: [`guildhall.slot=${slotId}`] } })
    const engineExec = async () => {
      const exec = await engine.getContainer(container!.Id).exec({ Cmd: ['true'], AttachStdout: true })
      const stream = await exec.start({})
      stream.resume()
      await once(stream, 'end')
      await exec.inspect()
    }
    console.log('\n`true`, once')
    const host = await repeat(100, hostTrue)
    print('host spawn', host)
    print('in the sandbox, by the supervisor', await repeat(100, () => session.exec({ argv: ['true'] })), host)
    print('in the sandbox, by an engine exec', await repeat(30, engineExec), host)
    session.close()
  } finally {
    for (const slotId of slots) await driver.remove(slotId)
    await driver.close()
  }
}
