import type { RunStep, StepState } from '@guildhall/protocol/agents.ts'
import type { MessageId, ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { and, asc, eq } from 'drizzle-orm'
import type { Db } from '../../platform/db/database.ts'
import type { ModelAnswer, ToolUsePart } from '../llm/service.ts'
import { storable } from '../../platform/db/storable.ts'
import { stepTable } from './table.ts'

/** What a model step stores before the call: what is said to the model that no tool result says. */
export interface ModelInput {
  /** Reminders, nudges and what the person said meanwhile. */
  notes: string[]
  /** Number of the newest message of the conversation that the model has been given. */
  heardSeq: number
  /** The message that its text streams into. */
  messageId: MessageId
  /** The ledger of money's row for this call. */
  callId: string
}

export interface ModelStep {
  seq: number
  kind: 'model'
  state: StepState
  input: ModelInput
  output: ModelAnswer | null
}

export interface ToolOutput {
  /** What the model reads, `[ev N]` included. */
  text: string
  figure: string | null
  seen?: { path: string; hash: string }
  endsRun?: boolean
}

export interface ToolStepRow {
  seq: number
  kind: 'tool'
  name: string
  state: StepState
  input: { use: ToolUsePart; title: string; intent: unknown }
  output: ToolOutput | null
  startedAt: Date
}

export type Step = ModelStep | ToolStepRow

/** The run's steps, oldest first. */
export async function listSteps(db: Db, runId: RunId): Promise<Step[]> {
  const rows = await db.select().from(stepTable).where(eq(stepTable.runId, runId)).orderBy(asc(stepTable.seq))
  // Both shapes are written only below, by this file's own types.
  return rows as unknown as Step[]
}

/**
 * Stores that a step begins. A model step whose call a crash swallowed is begun again under the same number; a tool
 * step never is.
 */
export async function insertStep(
  tx: Db,
  step: { runId: RunId; projectId: ProjectId; epoch: number; seq: number } & (
    { kind: 'model'; name: string; input: ModelInput } | { kind: 'tool'; name: string; input: ToolStepRow['input'] }
  ),
): Promise<void> {
  const values = { ...step, input: storable(step.input), state: 'begun' as const, startedAt: new Date() }
  const insert = tx.insert(stepTable).values(values)
  if (step.kind === 'tool') await insert
  else await insert.onConflictDoUpdate({ target: [stepTable.runId, stepTable.seq], set: values })
}

export async function closeStep(
  tx: Db,
  { runId, seq }: { runId: RunId; seq: number },
  change: { state: StepState; output: unknown; epoch: number; eventSeq?: number },
): Promise<void> {
  await tx
    .update(stepTable)
    .set({ ...change, output: storable(change.output), endedAt: new Date() })
    .where(and(eq(stepTable.runId, runId), eq(stepTable.seq, seq)))
}

export interface OpenCall {
  use: ToolUsePart
  /** Set when an earlier worker began it and stored no result. */
  begun: ToolStepRow | null
}

/** Calls of the newest answer that have no result yet, in order; none when it is the model's turn. */
export function openCalls(steps: readonly Step[]): OpenCall[] {
  const at = steps.findLastIndex(({ kind }) => kind === 'model')
  const answer = at === -1 ? null : (steps[at] as ModelStep).output
  if (!answer) return []
  const after = steps.slice(at + 1) as ToolStepRow[]
  return answer.toolUses.flatMap((use, index): OpenCall[] => {
    const step = after[index]
    if (!step) return [{ use, begun: null }]
    return step.state === 'begun' ? [{ use, begun: step }] : []
  })
}

export const newestAnswer = (steps: readonly Step[]): ModelAnswer | null => {
  const last = steps.at(-1)
  return last?.kind === 'model' ? last.output : null
}

/** Path → hash of every file the run knows, as of its last result about it. */
export function filesSeen(steps: readonly Step[]): Map<string, string> {
  const seen = new Map<string, string>()
  for (const step of steps)
    if (step.kind === 'tool' && step.output?.seen) seen.set(step.output.seen.path, step.output.seen.hash)
  return seen
}

/** The steps as the interface shows them. */
export async function listRunSteps(db: Db, runId: RunId): Promise<RunStep[]> {
  const rows = await db.select().from(stepTable).where(eq(stepTable.runId, runId)).orderBy(asc(stepTable.seq))
  return rows.map(({ seq, kind, name, state, input, output, startedAt, endedAt }) => ({
    ...{ seq, kind, name, state, input, output },
    startedAt: startedAt.toISOString(),
    durationMs: endedAt ? endedAt.getTime() - startedAt.getTime() : null,
  }))
}
