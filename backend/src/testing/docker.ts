import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Docker from 'dockerode'
import { connectEngine, findEngine } from '../features/sandbox/drivers/engine.ts'
import {
  createSandboxService,
  instanceOf,
  type SandboxConfig,
  type SandboxService,
} from '../features/sandbox/service.ts'
import { createAuthorize } from '../features/projects/authorize.ts'
import type { Database } from '../platform/db/database.ts'
import { createLog } from '../platform/log.ts'

const testLabel = 'guildhall.test'

/** The engine of this machine; a test that needs one fails where there is none. */
export const engineHere = async (): Promise<Docker> =>
  connectEngine(await findEngine({ dockerHost: process.env['DOCKER_HOST'] }))

export interface TestSandboxes {
  sandbox: SandboxService
  config: SandboxConfig
  /** One more service on the same data folder, as another process would have it. */
  another(): SandboxService
  /** Closes all services, and removes everything they made in the engine and on disk. */
  close(): Promise<void>
}

/** Real sandboxes for a test: with `engine: 'local'` as processes, else in containers labelled as a test's. */
export async function freshSandboxes(
  db: Database,
  {
    engine = 'auto',
    network = {},
  }: {
    engine?: 'auto' | 'local'
    /** The internet behind allowed hosts, played by the test. */
    network?: Parameters<typeof createSandboxService>[0]['network']
  } = {},
): Promise<TestSandboxes> {
  const dataDir = await mkdtemp(join(tmpdir(), 'guildhall-test-'))
  const config: SandboxConfig = {
    engine,
    dockerHost: process.env['DOCKER_HOST'] ?? null,
    sandboxImage: 'guildhall-sandbox',
    sandboxBaseImage: null,
    dataDir,
    npmRegistry: null,
    pypiIndex: null,
  }
  const services: SandboxService[] = []
  const another = () => {
    const service = createSandboxService({
      db,
      authorize: createAuthorize({ db }),
      config,
      // The work trees are another feature's; a folder will do.
      async ensureWorkTree(projectId, branch) {
        const path = `/workspace/${branch}`
        const session = await service.session(projectId)
        await session.exec({ argv: ['mkdir', '-p', path] })
        return { path, port: 3_000 }
      },
      labels: { [testLabel]: '1' },
      network,
      log: createLog({ level: 'fatal' }),
    })
    services.push(service)
    return service
  }
  return {
    sandbox: another(),
    config,
    another,
    async close() {
      for (const service of services) await service.close()
      if (engine === 'auto') await removeInstance(await engineHere(), instanceOf(dataDir))
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function removeInstance(docker: Docker, instance: string): Promise<void> {
  const filters = { label: [`guildhall.instance=${instance}`] }
  for (const { Id } of await docker.listContainers({ all: true, filters })) {
    await docker.getContainer(Id).remove({ force: true })
  }
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes) await docker.getVolume(Name).remove()
}
