import type { Actor } from '@guildhall/protocol/actor.ts'
import type { StepState, ToolStep } from '@guildhall/protocol/agents.ts'
import type { MessageId } from '@guildhall/protocol/ids.ts'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { appendEvent, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import type { ConversationService } from '../conversations/service.ts'
import type { CallPrices, ModelAnswer, ToolUsePart } from '../llm/service.ts'
import type { SentCall, UsageService } from '../usage/service.ts'
import { fence } from './lease.ts'
import {
  closeStep,
  insertStep,
  type ModelInput,
  type ModelStep,
  type Step,
  type ToolOutput,
  type ToolStepRow,
} from './ledger.ts'
import { addCost, type RunRow } from './store.ts'
import { storableText } from '../../platform/db/storable.ts'
import { cutMiddle, detailBytes } from './tools/text.ts'
import type { ToolOutcome } from './tools/tool.ts'

/** A model call under way: its step, and its row in the ledger of money. */
export interface BegunCall {
  step: ModelStep
  sent: SentCall
}

export interface BookDeps {
  db: Database
  usage: Pick<UsageService, 'begin' | 'settle' | 'fail' | 'abandon'>
  conversations: Pick<ConversationService, 'post'>
}

/**
 * The run's ledger with its fence: each method is one transaction that first holds the lease and then writes what
 * happens together — the step, its event, the message, the money. Throws LeaseLost when the run is somebody else's.
 */
export function createBook(
  { db, usage, conversations }: BookDeps,
  run: Pick<RunRow, 'id' | 'projectId' | 'conversationId' | 'taskId' | 'agentId' | 'userId' | 'role'> & {
    epoch: number
  },
  agent: Actor & { kind: 'agent' },
  seatName: string,
  steps: Step[],
) {
  const topic = projectTopic(run.projectId)
  const nextSeq = () => (steps.at(-1)?.seq ?? 0) + 1
  const write = <T>(work: (tx: Db) => Promise<T>): Promise<T> =>
    db.as(agent, async (tx) => {
      await fence(tx, run)
      return work(tx)
    })

  const shown = (step: ToolStepRow, rest: Pick<ToolStep, 'state' | 'detail' | 'figure' | 'durationMs'>): ToolStep => ({
    runId: run.id,
    seq: step.seq,
    tool: step.name,
    title: step.input.title,
    ...rest,
  })

  async function announce(tx: Db, type: 'agent.step.begun' | 'agent.step.finished', step: ToolStep): Promise<number> {
    return appendEvent(tx, topic, { type, actor: agent, data: { step, role: run.role, taskId: run.taskId } })
  }

  async function storeBegin(tx: Db, step: ToolStepRow): Promise<void> {
    const { seq, name, input } = step
    await insertStep(tx, { runId: run.id, projectId: run.projectId, epoch: run.epoch, seq, kind: 'tool', name, input })
    await announce(
      tx,
      'agent.step.begun',
      shown(step, { state: 'begun', detail: null, figure: null, durationMs: null }),
    )
  }

  async function storeEnd(tx: Db, step: ToolStepRow, outcome: ToolOutcome): Promise<ToolOutput> {
    const text = storableText(outcome.text)
    const figure = outcome.figure ?? null
    const rest = { state: outcome.state, detail: cutMiddle(text, detailBytes), figure }
    const eventSeq = await announce(
      tx,
      'agent.step.finished',
      shown(step, { ...rest, durationMs: Date.now() - step.startedAt.getTime() }),
    )
    const { seen, endsRun } = outcome
    const output: ToolOutput = {
      text: `[ev ${eventSeq}] ${text}`,
      figure,
      ...(seen && { seen }),
      ...(endsRun && { endsRun }),
    }
    await closeStep(tx, { runId: run.id, seq: step.seq }, { state: outcome.state, output, epoch: run.epoch, eventSeq })
    return output
  }

  const newToolStep = (use: ToolUsePart, name: string, title: string, intent: unknown): ToolStepRow => ({
    seq: nextSeq(),
    kind: 'tool',
    name,
    state: 'begun',
    input: { use, title, intent },
    output: null,
    startedAt: new Date(),
  })

  return {
    steps: steps as readonly Step[],

    /** Stores that the model is about to be called. A call that an earlier worker never finished is begun again. */
    async beginModel(call: {
      /** What is said to the model; reads with the lease held, so that nobody's words fall between two runs. */
      hear: (tx: Db) => Promise<Pick<ModelInput, 'notes' | 'heardSeq'>>
      model: string
      provider: string
      prices: CallPrices
      /** The most that the call can use. */
      worst: TokenUsage
    }): Promise<BegunCall> {
      const last = steps.at(-1)
      const broken = last?.kind === 'model' && !last.output ? last : null
      const seq = broken?.seq ?? nextSeq()
      const { model, provider, prices, worst } = call
      const { projectId, taskId, userId, role } = run
      const begun = await write(async (tx): Promise<BegunCall> => {
        const { notes, heardSeq } = broken?.input ?? (await call.hear(tx))
        if (broken) await usage.abandon(tx, agent, broken.input.callId)
        const sent = await usage.begin(tx, {
          userId,
          projectId,
          taskId,
          runId: run.id,
          step: seq,
          role,
          provider,
          model,
          prices,
          worst,
        })
        const input = { notes, heardSeq, messageId: newId<MessageId>(), callId: sent.id as string }
        await insertStep(tx, { runId: run.id, projectId, epoch: run.epoch, seq, kind: 'model', name: model, input })
        return { step: { seq, kind: 'model', state: 'begun', input, output: null }, sent }
      })
      if (broken) steps.pop()
      steps.push(begun.step)
      return begun
    },

    /** Stores the answer, charges it, and posts its text as the seat's message. */
    async endModel({ step, sent }: BegunCall, answer: ModelAnswer, messageId: MessageId): Promise<void> {
      await write(async (tx) => {
        const state: StepState = 'done'
        await closeStep(tx, { runId: run.id, seq: step.seq }, { state, output: answer, epoch: run.epoch })
        if (answer.text.trim() !== '') {
          const { agentId, role, projectId, conversationId, taskId } = run
          const sender = { kind: 'agent' as const, agentId, role, name: seatName }
          const content = storableText(answer.text)
          const about = { id: messageId, conversationId, projectId, taskId, runId: run.id }
          await conversations.post(tx, { ...about, actor: agent, sender, kind: 'chat', content })
        }
        const cost = await usage.settle(tx, agent, sent, answer.usage)
        await addCost(tx, run.id, run.agentId, cost)
      })
      step.output = answer
      step.state = 'done'
    },

    /** The call brought no answer; what the provider had counted is charged. The step stays open. */
    async failModel({ sent }: BegunCall, spent?: TokenUsage): Promise<void> {
      await write(async (tx) => {
        const cost = await usage.fail(tx, agent, sent, spent)
        await addCost(tx, run.id, run.agentId, cost)
      })
    },

    /** Stores what is about to be done, before it is done. */
    async beginTool(use: ToolUsePart, name: string, title: string, intent: unknown): Promise<ToolStepRow> {
      const step = newToolStep(use, name, title, intent)
      await write((tx) => storeBegin(tx, step))
      steps.push(step)
      return step
    },

    /** Appends the event, then stores the result under its number: what the model cites is what the log shows. */
    async endTool(step: ToolStepRow, outcome: ToolOutcome): Promise<ToolOutput> {
      step.output = await write((tx) => storeEnd(tx, step, outcome))
      step.state = outcome.state
      return step.output
    },

    /** A call that never began: refused, or answered while it was being prepared. It stays in the log all the same. */
    async refuseTool(use: ToolUsePart, name: string, title: string, outcome: ToolOutcome): Promise<ToolOutput> {
      const step = newToolStep(use, name, title, null)
      step.output = await write(async (tx) => {
        await storeBegin(tx, step)
        return storeEnd(tx, step, outcome)
      })
      step.state = outcome.state
      steps.push(step)
      return step.output
    },

    /** Stores how the run begins, so that a later worker begins in the same way. */
    keep: (work: (tx: Db) => Promise<void>): Promise<void> => write(work),
  }
}
export type Book = ReturnType<typeof createBook>
