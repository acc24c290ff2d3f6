import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Task } from '@guildhall/protocol/tasks.ts'
import { isAppError } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { TaskDeps } from './deps.ts'
import { documentPath, printDocument } from './document.ts'
import { claimStart, type Claimed, LeaseLost, underLease } from './lease.ts'
import { slug } from './slug.ts'
import { listSchedulable, moveTask } from './store.ts'

const house = { kind: 'system' } as const
export const platformAuthor = { name: 'Guildhall', email: 'platform@crew.guildhall' }

/**
 * Plain code, no model: every task of an approved plan whose dependencies are merged gets a branch, its document as
 * the first commit, and a run. One worker at a time starts a task, and each step can be repeated, so a crash between
 * two of them costs nothing.
 */
export function createScheduler({ db, repository, startRun, log }: TaskDeps) {
  const underWay = new Set<Promise<void>>()

  async function start(claimed: Claimed, planNumber: number): Promise<void> {
    const { task, epoch, userId } = claimed
    const { id, projectId } = task
    const branched = task.branch ? task : await makeBranch(claimed)
    const branch = branched.branch!
    const before = await repository.head(projectId, branch)
    const head =
      before === branched.base
        ? await repository.writeCommit(projectId, branch, {
            files: [{ path: documentPath(planNumber, task), content: printDocument(branched) }],
            message: `docs(tasks): ${task.key} as approved\n\nTask: ${task.key}`,
            author: platformAuthor,
          })
        : before
    await db.system(async (tx) => {
      const change = { state: 'working' as const, head, reason: null, leaseUntil: null }
      const started = await moveTask(tx, id, { from: ['waiting'], epoch }, change)
      if (!started) throw new LeaseLost('the task moved on')
      await startRun(tx, {
        projectId,
        conversationId: task.conversationId,
        taskId: id,
        role: task.role,
        purpose: 'work',
        userId,
      })
      await appendEvent(tx, projectTopic(projectId), { type: 'task.started', actor: house, data: { task: started } })
    })
  }

  /** Branch and row in one short transaction: it holds the repository's lock. Undone, the bare ref is taken over. */
  const makeBranch = ({ task, epoch }: Claimed): Promise<Task> =>
    db.system(async (tx) => {
      const wanted = `agent/${task.role}/${task.key}-${slug(task.title)}`
      const order = { wanted, role: task.role, taskId: task.id }
      const { name, base } = await repository.createBranch(tx, house, task.projectId, order)
      const branched = await moveTask(tx, task.id, { from: ['waiting'], epoch }, { branch: name, base, head: base })
      if (!branched) throw new LeaseLost('the task moved on')
      return branched
    })

  /** It stays waiting and is tried again once the lease has run out; the person reads why. */
  async function tellWhyNot({ task, epoch }: Claimed, error: unknown): Promise<void> {
    const why = isAppError(error) ? error.message : 'an internal error, see the log'
    const reason = `It could not start yet: ${why}. Guildhall tries again.`
    if (task.reason === reason) return
    await db.system(async (tx) => {
      const held = await moveTask(tx, task.id, { from: ['waiting'], epoch }, { reason })
      if (held)
        await appendEvent(tx, projectTopic(task.projectId), { type: 'task.held', actor: house, data: { task: held } })
    })
  }

  /** Starts what can start, in one project or everywhere (the sweep). A task that cannot start stays waiting. */
  async function schedule(projectId?: ProjectId): Promise<void> {
    for (const { id, planNumber } of await db.system((tx) => listSchedulable(tx, projectId))) {
      const claimed = await db.system((tx) => claimStart(tx, id))
      if (!claimed) continue
      try {
        await underLease(db, claimed, () => start(claimed, planNumber))
      } catch (error) {
        if (error instanceof LeaseLost) continue
        log.error({ err: error, taskId: id }, 'a task could not start; the sweep tries again')
        await tellWhyNot(claimed, error)
      }
    }
  }

  return {
    schedule,
    /**
     * The same without waiting: a start makes a work tree and brings its dependencies, which may take a minute. What
     * is lost with the process is found by the sweep.
     */
    scheduleSoon(projectId?: ProjectId): void {
      const pass: Promise<void> = schedule(projectId)
        .catch((error: unknown) => log.error({ err: error }, 'scheduling failed; the sweep tries again'))
        .finally(() => underWay.delete(pass))
      underWay.add(pass)
    },
    /** Resolves when no start is under way in this process. */
    async settled(): Promise<void> {
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
