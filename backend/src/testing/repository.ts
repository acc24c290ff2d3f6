import type { Actor } from '@guildhall/protocol/actor.ts'
import { join } from 'node:path'
import { createAuthorize } from '../features/projects/service.ts'
import { createRepositoryService, type RepositoryOptions } from '../features/repository/service.ts'
import type { SandboxSession } from '../features/sandbox/service.ts'
import { listEvents, projectTopic } from '../platform/events/events.ts'
import { createLog } from '../platform/log.ts'
import { freshDatabase } from './database.ts'
import { freshFolder, writeFiles } from './git.ts'
import { freshLocalSandbox } from './sandbox.ts'
import { freshProject, freshUser } from './world.ts'

/** What a set-up command of a test project does: a folder of modules that names its lockfile. */
const setupCommand = 'mkdir -p node_modules/left && cp package-lock.json node_modules/left/index.js'

const template = {
  'package.json': '{"name":"shop"}\n',
  'package-lock.json': '{"lockfileVersion":3}\n',
  'src/app.ts': 'export const app = 1\n',
  '.gitignore': 'node_modules/\n',
}

/** A project with a real repository and a sandbox of the local driver, in a database and folders of its own. */
export async function repositoryWorld({
  files = {},
  ...overrides
}: Partial<RepositoryOptions> & { files?: Record<string, string> } = {}) {
  const database = await freshDatabase()
  const { db } = database
  const folder = await freshFolder()
  const owner = await freshUser(db)
  const projectId = await freshProject(db, owner)
  await writeFiles(join(folder.path, 'templates', 'test'), { ...template, ...files })
  const local = await freshLocalSandbox()
  const sandbox = { state: 'running' as 'running' | 'sleeping', calls: 0 }
  const session: SandboxSession = {
    ...local.session,
    exec(call) {
      sandbox.calls++
      return local.session.exec(call)
    },
  }
  const options: RepositoryOptions = {
    db,
    authorize: createAuthorize({ db }),
    sandbox: {
      get: async () => ({ state: sandbox.state }),
      session: async () => session,
    },
    templateOf: async () => ({ slug: 'test', setupCommand }),
    repositoriesDir: join(folder.path, 'repositories'),
    templatesDir: join(folder.path, 'templates'),
    log: createLog({ level: process.env['TEST_LOG'] ?? 'silent' }),
    ...overrides,
  }
  const repository = createRepositoryService(options)
  await repository.provision(projectId)
  return {
    ...database,
    owner,
    projectId,
    options,
    repository,
    /** Whether it runs, and how many commands ran in it so far. */
    sandbox,
    session,
    /** Where /workspace is on this machine. */
    root: local.root,
    /** The bare repository's folder. */
    bare: join(folder.path, 'repositories', `${projectId}.git`),
    /** A work tree's folder on this machine. */
    tree: (branch: string) => join(local.root, branch),
    branch: (wanted: string, actor: Actor = owner) =>
      db.as(actor, (tx) => repository.createBranch(tx, actor, projectId, { wanted, role: 'engineer', taskId: null })),
    events: () => db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 1_000)),
    async close() {
      await local.close()
      await database.close()
      await folder.close()
    },
  }
}
export type RepositoryWorld = Awaited<ReturnType<typeof repositoryWorld>>
