import type { Actor } from '@guildhall/protocol/actor.ts'
import type { AgentId, PlanId, ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import { eq } from 'drizzle-orm'
import { agentTable, runTable } from '../features/agents/table.ts'
import { conversationTable } from '../features/conversations/table.ts'
import { planTable, taskTable } from '../features/tasks/table.ts'
import type { Database } from '../platform/db/database.ts'
import { newId } from '../platform/ids.ts'

/** A plan, a task, a seat and a run in a project, as rows, for routes that name one; answers their ids. */
export async function freshThings(
  db: Database,
  projectId: ProjectId,
  { userId }: Pick<Actor & { kind: 'user' }, 'userId'>,
) {
  const agentId = newId<AgentId>()
  const runId = newId<RunId>()
  const planId = newId<PlanId>()
  const taskId = newId<TaskId>()
  return db.system(async (tx) => {
    const [conversation] = await tx.select().from(conversationTable).where(eq(conversationTable.projectId, projectId))
    const inside = { projectId, conversationId: conversation!.id }
    await tx.insert(planTable).values({
      ...inside,
      id: planId,
      runId,
      number: 1,
      summary: 'A plan',
      assumptions: [],
      state: 'in_review',
      createdFor: userId,
    })
    await tx.insert(taskTable).values({
      ...inside,
      id: taskId,
      planId,
      key: 'a-task',
      title: 'A task',
      goal: 'To be asked for',
      role: 'engineer',
      form: 'short',
      state: 'needs_you',
      dependsOn: [],
      scope: [],
      criteria: [],
      constraints: [],
      boxes: [],
      createdFor: userId,
    })
    await tx.insert(agentTable).values({ id: agentId, projectId, role: 'engineer', name: 'Engineer 1' })
    const run = { id: runId, agentId, taskId, userId, role: 'engineer', purpose: 'work', state: 'done' } as const
    await tx.insert(runTable).values({ ...inside, ...run })
    return { conversationId: inside.conversationId, planId, taskId, runId }
  })
}
