import type { Actor } from '@guildhall/protocol/actor.ts'
import type { Event } from '@guildhall/protocol/events.ts'
import type { AgentId, ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Autonomy } from '@guildhall/protocol/projects.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { type Plan, PlanInput, type Task, type VerdictInput } from '@guildhall/protocol/tasks.ts'
import { sql } from 'drizzle-orm'
import { join } from 'node:path'
import { createConversationService } from '../features/conversations/service.ts'
import type { SandboxSession } from '../features/sandbox/service.ts'
import type { RunOrder, TaskDeps } from '../features/tasks/deps.ts'
import { createTaskService } from '../features/tasks/service.ts'
import { appendEvent, listEvents, projectTopic } from '../platform/events/events.ts'
import { newId } from '../platform/ids.ts'
import { createLog } from '../platform/log.ts'
import { createQueue, type JobName } from '../platform/queue/queue.ts'
import { repositoryWorld } from './repository.ts'
import { freshLocalSandbox } from './sandbox.ts'
import { freshProject } from './world.ts'

const author = { name: 'Engineer 1', email: 'engineer@crew.guildhall' }

/**
 * Tasks over a real database, repository, queue and throw-away local sandboxes. Runs are not the subject here: what
 * orders them is noted, and the tests say what the agents say.
 */
export async function taskWorld() {
  const world = await repositoryWorld()
  // The author's commits are written to the repository itself; no work tree has to follow.
  world.sandbox.state = 'sleeping'
  const { db, owner, repository } = world
  const log = createLog({ level: process.env['TEST_LOG'] ?? 'silent' })
  const queue = createQueue({ systemUrl: world.systemUrl, log, graceMs: 500 })
  const { authorize } = world.options
  const conversations = createConversationService({ db, authorize })

  const state = {
    autonomy: 'review_plan' as Autonomy,
    setupCommand: null as string | null,
    orders: [] as (RunOrder & { runId: RunId })[],
    stopped: [] as TaskId[],
    rings: [] as [JobName, string][],
    /** How many throw-away sandboxes were asked for. */
    sandboxes: 0,
    /** What happens before a throw-away sandbox is there, such as a fault or a wait. */
    beforeSandbox: async (): Promise<void> => undefined,
    beforeRun: (): void => undefined,
  }

  async function withFreshSandbox<T>(_projectId: ProjectId, work: (session: SandboxSession) => Promise<T>): Promise<T> {
    state.sandboxes++
    await state.beforeSandbox()
    const fresh = await freshLocalSandbox()
    return work(fresh.session).finally(() => fresh.close())
  }

  /** One more process's tasks over the same rows and repository. */
  const service = (changes: Partial<TaskDeps> = {}) =>
    createTaskService({
      ...{ db, authorize, repository, conversations, log },
      queue: {
        ...queue,
        async ring(name, id, options) {
          state.rings.push([name, id])
          await queue.ring(name, id, options)
        },
      },
      // Of the whole service, checks use only this.
      sandbox: { withFreshSandbox } as unknown as TaskDeps['sandbox'],
      projectFacts: async () => ({ autonomy: state.autonomy, setupCommand: state.setupCommand }),
      async startRun(_tx, order) {
        state.beforeRun()
        const runId = newId<RunId>()
        state.orders.push({ ...order, runId })
        return runId
      },
      cancelRuns: async (taskId) => void state.stopped.push(taskId),
      ...changes,
    })
  const tasks = service()

  const agent = (role: Role, runId = newId<RunId>()): Actor & { kind: 'agent' } => ({
    ...{ kind: 'agent', agentId: newId<AgentId>(), runId, role, onBehalfOf: owner.userId },
  })

  /** A project of its own with a repository, and the words of the crew in it. */
  async function project() {
    const projectId = await freshProject(db, owner)
    await repository.provision(projectId)
    const conversation = await conversations.main(projectId)
    const run = () => ({ id: newId<RunId>(), projectId, conversationId: conversation.id, userId: owner.userId })
    const read = async (taskId: TaskId): Promise<Task> => (await tasks.get(owner, taskId)).task

    async function plan(...wanted: Record<string, unknown>[]): Promise<Plan> {
      const input = PlanInput.parse({ summary: 'Make it better', tasks: wanted.map(planTask) })
      const answer = await tasks.submitPlan(agent('dev_manager'), run(), input)
      if (!answer.ok) throw new Error(answer.complaints.join('\n'))
      return answer.plan
    }

    /** A plan whose first tasks are at work, approved. */
    async function started(...wanted: Record<string, unknown>[]): Promise<Task[]> {
      const { id, version } = await plan(...wanted)
      const approved = await tasks.approvePlan(owner, id, version)
      await tasks.settled()
      return Promise.all(approved.tasks.map((task) => read(task.id)))
    }

    /** Commits to the branch, ticks every box. */
    async function work(task: Task, files: Record<string, string>): Promise<Task> {
      const head = await repository.writeCommit(projectId, task.branch!, {
        files: Object.entries(files).map(([path, content]) => ({ path, content })),
        message: 'feat: work',
        author,
      })
      const boxes = task.boxes.map((_box, index) => index + 1)
      return tasks.tick(agent(task.role), task.id, boxes, head)
    }

    /** The event of a tool result, as the crew's worker would append it; answers its number. */
    const evidence = (task: Task, { role = task.role, tool = 'shell' }: { role?: Role; tool?: string } = {}) =>
      db.system((tx) =>
        appendEvent(tx, projectTopic(projectId), {
          type: 'agent.step.finished',
          actor: agent(role),
          data: {
            ...{ role, taskId: task.id },
            step: {
              ...{ runId: newId<RunId>(), seq: 1, tool, title: tool, state: 'done' as const },
              ...{ detail: null, figure: null, durationMs: 1 },
            },
          },
        }),
      )

    async function finish(task: Task) {
      const claims = [{ text: 'It works', evidence: [await evidence(task)] }]
      return tasks.finish(agent(task.role), task.id, newId<RunId>(), { summary: 'It is done', claims })
    }

    /** Work, finish and checks; answers the task as the checks left it. */
    async function checked(task: Task, files: Record<string, string>): Promise<Task> {
      await work(task, files)
      const answer = await finish(task)
      if (!answer.ok) throw new Error(answer.refusals.join('\n'))
      await tasks.check(task.id)
      return read(task.id)
    }

    const judge = (task: Task, verdict: Partial<VerdictInput> = {}, role: Role = 'architect', runId = newId<RunId>()) =>
      tasks.verdict(agent(role, runId), task.id, runId, {
        ...{ verdict: 'approve', summary: 'It is right', comments: [] },
        ...verdict,
      })

    /** All the way into the merge queue. */
    async function queued(task: Task, files: Record<string, string>): Promise<Task> {
      await judge(await checked(task, files))
      return read(task.id)
    }

    const events = (): Promise<Event[]> => db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 10_000))
    return {
      ...{ projectId, conversation, run, read, plan, started, work, evidence, finish, checked, judge, queued, events },
      /** The task's facts in order, without those of others and of runs. */
      async facts(taskId: TaskId): Promise<string[]> {
        return (await events()).flatMap((event) =>
          event.type.startsWith('task.') && 'task' in event.data && event.data.task.id === taskId ? [event.type] : [],
        )
      },
      orders: () => state.orders.filter((order) => order.projectId === projectId),
      /** What the house said in the conversation. */
      async said(): Promise<string[]> {
        const { items } = await conversations.messages(owner, conversation.id)
        return items.filter(({ sender }) => sender.kind === 'system').map(({ content }) => content)
      },
      main: () => repository.head(projectId, 'main'),
      file: async (path: string, ref = 'main') =>
        (await repository.file(owner, projectId, { ref, path })) as { content?: string | null },
    }
  }

  return {
    ...{ db, owner, repository, conversations, queue, tasks, service, agent, project, state, log },
    /** A project's bare repository. */
    bare: (projectId: ProjectId) => join(world.options.repositoriesDir, `${projectId}.git`),
    /** The lease of a task runs out, as if its worker had died. */
    expireLease: (taskId: TaskId) =>
      db.system((tx) => tx.execute(sql`update tasks set lease_until = now() - interval '1 s' where id = ${taskId}`)),
    async close() {
      await tasks.settled()
      await queue.close()
      await world.close()
    },
  }
}
export type TaskWorld = Awaited<ReturnType<typeof taskWorld>>
export type TaskProject = Awaited<ReturnType<TaskWorld['project']>>

/** A small task; what it does not say is filled in. Its check passes when src/app.ts has the word "good". */
const planTask = ({ key = 'banner', ...rest }: Record<string, unknown>) => ({
  ...{ key, title: `Make ${key as string}`, goal: 'Somebody can see that it is good.', role: 'engineer' },
  criteria: [{ text: 'it is good', check: { kind: 'command', argv: ['grep', '-q', 'good', 'src/app.ts'] } }],
  boxes: [{ text: 'write it' }],
  ...rest,
})

/** A check that passes when `path` holds `word`. */
export const holds = (path: string, word: string) => ({
  text: `${path} says ${word}`,
  check: { kind: 'command', argv: ['grep', '-q', word, path] },
})
