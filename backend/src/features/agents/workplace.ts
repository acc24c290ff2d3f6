import type { Sha } from '@guildhall/protocol/ids.ts'
import { invalid } from '../../platform/errors.ts'
import type { RepositoryService } from '../repository/service.ts'
import type { StepRef } from '../sandbox/service.ts'
import type { TaskService } from '../tasks/service.ts'
import type { RunSession } from './session.ts'
import type { RunRow } from './store.ts'

/** Where a run works inside the sandbox. */
export interface Workplace {
  root: string
  /** The branch its commits go to; null where it only looks. */
  branch: string | null
  taskKey: string | null
  env: Record<string, string>
  /** What the seat is doing, for the crew strip. */
  activity: string
  /** Clears away what was made for this run alone, unless a later worker holds the run. */
  leave(step: StepRef): Promise<void>
}

const stays = async () => undefined

/**
 * A manager reads main; an author works in the branch's own work tree; a reviewer gets a clean checkout of exactly the
 * commit under review, so that nothing uncommitted can be seen or approved.
 */
export async function findWorkplace(
  {
    repository,
    tasks,
  }: {
    repository: Pick<RepositoryService, 'ensureWorkTree' | 'checkOut'>
    tasks: Pick<TaskService, 'document' | 'reviewContext'>
  },
  run: Pick<RunRow, 'id' | 'projectId' | 'taskId' | 'purpose'>,
  session: RunSession,
): Promise<Workplace> {
  if (run.purpose === 'plan' || !run.taskId) {
    const { path, port } = await repository.ensureWorkTree(run.projectId, 'main')
    return { root: path, branch: null, taskKey: null, env: envOf(port), activity: 'Reading and planning', leave: stays }
  }
  const { task } = await tasks.document(run.taskId)
  if (run.purpose === 'work') {
    if (!task.branch) throw invalid(`Task ${task.key} has no branch to work on`)
    const { path, port } = await repository.ensureWorkTree(run.projectId, task.branch)
    const activity = `Working on ${task.key}`
    return { root: path, branch: task.branch, taskKey: task.key, env: envOf(port), activity, leave: stays }
  }
  const { head } = await tasks.reviewContext(run.taskId)
  const root = `/workspace/review/${run.id}`
  if ((await headAt(session, root)) !== head) {
    await session.remove(root)
    await repository.checkOut(run.projectId, session, head, root)
  }
  return {
    root,
    branch: null,
    taskKey: task.key,
    env: envOf(null),
    activity: `Reviewing ${task.key}`,
    leave: (step) => session.remove(root, { step }),
  }
}

const envOf = (port: number | null): Record<string, string> => ({
  CI: '1',
  ...(port !== null && { PORT: String(port) }),
})

/** Null where no complete checkout stands, such as after a worker that died while making one. */
async function headAt(session: RunSession, root: string): Promise<Sha | null> {
  if (
    !(await session.list('/workspace/review', 1).catch(() => [])).some(({ path }) =>
      path.endsWith(root.slice(root.lastIndexOf('/'))),
    )
  )
    return null
  const { exitCode, stdout } = await session.exec({ argv: ['git', 'rev-parse', 'HEAD'], cwd: root, timeoutMs: 10_000 })
  return exitCode === 0 ? (stdout.toString('utf8').trim() as Sha) : null
}
