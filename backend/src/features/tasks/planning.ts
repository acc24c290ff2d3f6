import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ConversationId, PlanId, ProjectId, RunId, UserId } from '@guildhall/protocol/ids.ts'
import type { Plan, PlanInput } from '@guildhall/protocol/tasks.ts'
import type { Db } from '../../platform/db/database.ts'
import { conflict, forbidden, notFound, stale } from '../../platform/errors.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import type { TaskDeps } from './deps.ts'
import { planComplaints } from './plan-rules.ts'
import { listStanding } from './standing.ts'
import { findPlan, findPlanOfRun, insertPlan, listPlans, lockPlans, setPlanPerson, updatePlan } from './store.ts'

/** The run that wrote a plan, as far as tasks need to know it. */
export interface PlanningRun {
  id: RunId
  projectId: ProjectId
  conversationId: ConversationId
  userId: UserId
}

/** From the manager's plan to a person's yes. */
export function createPlanning(deps: TaskDeps, scheduleSoon: (projectId: ProjectId) => void) {
  const { db, authorize, conversations, projectFacts, startRun } = deps

  async function settle(
    actor: Actor,
    planId: PlanId,
    version: number,
    decide: (tx: Db, plan: Plan) => Promise<void>,
  ): Promise<Plan> {
    const seen = await db.as(actor, (tx) => findPlan(tx, planId))
    if (!seen) throw notFound('Plan')
    await authorize(actor, 'project.work', { projectId: seen.projectId })
    // An agent has its person's rights to the project, but the yes is the person's own.
    if (actor.kind !== 'user') throw forbidden('Only a person can decide this')
    return db.as(actor, async (tx) => {
      const plan = (await findPlan(tx, planId, 'update'))!
      if (plan.version !== version) throw stale('The plan changed since you read it. Read it again, then decide.')
      if (plan.state !== 'in_review') throw conflict(`This plan is ${plan.state.replaceAll('_', ' ')} already.`)
      await decide(tx, plan)
      return (await findPlan(tx, planId))!
    })
  }

  return {
    /** Stores the plan of a manager's run and asks for approval; or answers what to mend. The same run plans once. */
    async submitPlan(
      agent: Actor,
      run: PlanningRun,
      input: PlanInput,
    ): Promise<{ ok: true; plan: Plan } | { ok: false; complaints: string[] }> {
      const standing = await db.as(agent, (tx) => listStanding(tx, run.projectId))
      const complaints = planComplaints(input, new Set(standing.map(({ name }) => name)))
      if (complaints.length > 0) return { ok: false, complaints }
      const { autonomy } = await projectFacts(run.projectId)
      const plan = await db.as(agent, async (tx) => {
        await lockPlans(tx, run.projectId)
        const earlier = await findPlanOfRun(tx, run.id)
        if (earlier) return earlier
        const inserted = await insertPlan(tx, run, input)
        await appendEvent(tx, projectTopic(run.projectId), {
          type: 'plan.submitted',
          actor: agent,
          data: { plan: inserted },
        })
        if (autonomy !== 'auto') return inserted
        // The document is written all the same; the owner's policy says yes in the owner's stead.
        await updatePlan(tx, inserted.id, { state: 'approved', approvedAt: new Date() })
        const approved = (await findPlan(tx, inserted.id))!
        await appendEvent(tx, projectTopic(run.projectId), {
          type: 'plan.approved',
          actor: { kind: 'system' },
          data: { plan: approved },
        })
        return approved
      })
      if (plan.state === 'approved') scheduleSoon(plan.projectId)
      return { ok: true, plan }
    },

    /** A person says yes to the version they read; tasks without open dependencies start. Throws `stale`, `conflict`. */
    async approvePlan(actor: Actor & { kind: 'user' }, planId: PlanId, version: number): Promise<Plan> {
      const plan = await settle(actor, planId, version, async (tx, { projectId }) => {
        await updatePlan(tx, planId, { state: 'approved', approvedBy: actor.userId, approvedAt: new Date() })
        await setPlanPerson(tx, planId, actor.userId)
        const approved = (await findPlan(tx, planId))!
        await appendEvent(tx, projectTopic(projectId), { type: 'plan.approved', actor, data: { plan: approved } })
      })
      scheduleSoon(plan.projectId)
      return plan
    },

    /** Sends the plan back with a comment; the manager plans anew with it. Throws `stale`, `conflict`. */
    async requestChanges(
      actor: Actor & { kind: 'user' },
      planId: PlanId,
      version: number,
      comment: string,
      personName: string,
    ): Promise<Plan> {
      return settle(actor, planId, version, async (tx, { projectId, conversationId }) => {
        await updatePlan(tx, planId, { state: 'changes_requested', version: version + 1 })
        const returned = (await findPlan(tx, planId))!
        await conversations.post(tx, {
          conversationId,
          projectId,
          sender: { kind: 'user', userId: actor.userId, name: personName },
          kind: 'chat',
          content: comment,
          actor,
        })
        await startRun(tx, {
          projectId,
          conversationId,
          taskId: null,
          role: 'dev_manager',
          purpose: 'plan',
          userId: actor.userId,
        })
        await appendEvent(tx, projectTopic(projectId), {
          type: 'plan.returned',
          actor,
          data: { plan: returned, comment },
        })
      })
    },

    async plans(actor: Actor, projectId: ProjectId): Promise<Plan[]> {
      await authorize(actor, 'project.read', { projectId })
      return db.as(actor, (tx) => listPlans(tx, projectId))
    },
  }
}
