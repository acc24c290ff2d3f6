import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Task } from '@guildhall/protocol/tasks.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { slug } from './slug.ts'
import type { TaskDeps } from './deps.ts'
import { documentPath, printDocument } from './document.ts'
import { findTask, findTaskPerson, listSchedulable, moveTask } from './store.ts'

const house = { kind: 'system' } as const
export const platformAuthor = { name: 'Guildhall', email: 'platform@crew.guildhall' }

/**
 * Plain code, no model: every task of an approved plan whose dependencies are merged gets a branch, its document as
 * the first commit, and a run. Each step can be repeated, so a crash between two of them costs nothing.
 */
export function createScheduler({ db, repository, startRun, log }: TaskDeps) {
  /** Tasks being started by this process; the state in the row decides between processes. */
  const starting = new Set<string>()

  async function start(task: Task, planNumber: number): Promise<void> {
    const { projectId } = task
    const wanted = `agent/${task.role}/${task.key}-${slug(task.title)}`
    const branched = await db.system(async (tx) => {
      const current = (await findTask(tx, task.id, 'update'))!
      if (current.branch || current.state !== 'waiting') return current
      const { name, base } = await repository.createBranch(tx, house, projectId, {
        wanted,
        role: task.role,
        taskId: task.id,
      })
      return (await moveTask(tx, task.id, { from: ['waiting'] }, { branch: name, base, head: base }))!
    })
    if (branched.state !== 'waiting') return
    const branch = branched.branch!
    if ((await repository.head(projectId, branch)) === branched.base)
      await repository.writeCommit(projectId, branch, {
        files: [{ path: documentPath(planNumber, task), content: printDocument(branched) }],
        message: `docs(tasks): ${task.key} as approved\n\nTask: ${task.key}`,
        author: platformAuthor,
      })
    const head = await repository.head(projectId, branch)
    await db.system(async (tx) => {
      const started = await moveTask(tx, task.id, { from: ['waiting'] }, { state: 'working', head })
      if (!started) return
      await startRun(tx, {
        projectId,
        conversationId: task.conversationId,
        taskId: task.id,
        role: task.role,
        purpose: 'work',
        userId: await findTaskPerson(tx, task.id),
      })
      await appendEvent(tx, projectTopic(projectId), { type: 'task.started', actor: house, data: { task: started } })
    })
  }

  return {
    /** Starts what can start, in one project or everywhere (the sweep). A task that cannot start stays waiting. */
    async schedule(projectId?: ProjectId): Promise<void> {
      const ready = await db.system((tx) => listSchedulable(tx, projectId))
      for (const { task, planNumber } of ready) {
        if (starting.has(task.id)) continue
        starting.add(task.id)
        try {
          await start(task, planNumber)
        } catch (error) {
          log.error({ err: error, taskId: task.id }, 'a task could not start; the sweep tries again')
        } finally {
          starting.delete(task.id)
        }
      }
    },
  }
}
