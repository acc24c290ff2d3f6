import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { MessageId } from '@guildhall/protocol/ids.ts'
import type { TokenUsage } from '@guildhall/protocol/llm.ts'
import type { Db } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import { newId } from '../../platform/ids.ts'
import type { Log } from '../../platform/log.ts'
import type { LlmService, ModelAnswer, ToolUsePart } from '../llm/service.ts'
import type { Book } from './book.ts'
import { filesSeen, newestAnswer, openCalls, type ToolOutput, type ToolStepRow } from './ledger.ts'
import { LeaseLost } from './lease.ts'
import { messagesOf } from './messages.ts'
import type { Opening } from './opening.ts'
import { called, type RoleFile } from './roles/role.ts'
import { stuckness } from './stuck.ts'
import { oneLine } from './tools/text.ts'
import { refuse, type Tool, type ToolCall, type ToolContext, type ToolOutcome } from './tools/tool.ts'

export type Ending = { state: 'done' } | { state: 'failed'; error: string }

export interface LoopParts {
  book: Book
  opening: Opening
  role: RoleFile
  purpose: RunPurpose
  model: string
  startedAt: Date
  /** The tools of this role for this purpose, in the order they are offered. */
  tools: Tool[]
  /** What a tool call may reach; the loop adds the step and the files known so far. */
  context: Omit<ToolContext, 'seen' | 'step'>
  stepRef(seq: number, part?: string): ReturnType<ToolContext['step']>
  llm: Pick<LlmService, 'stream' | 'describe' | 'prices'>
  /** What the person said since message `after`, as texts, with the number of the newest. */
  heard(tx: Db, after: number): Promise<{ texts: string[]; newest: number }>
  deltas: { say(messageId: MessageId, text: string): void; end(messageId: MessageId): void }
  /** Ends waiting for the model at once; tools are let finish. */
  leaving: AbortSignal
  log: Log
}

const maxAnswerTokens = 16_000
const reminder =
  'You ended your turn without a tool call. If the work is done, hand it in with the tool for it (finish, plan or verdict); if not, go on with the next step.'

/**
 * One run, from wherever its ledger stands to its end. Nothing here remembers: what comes next follows from the stored
 * steps alone, so a worker that takes over in the middle tells the same story.
 */
export async function runLoop(parts: LoopParts): Promise<Ending> {
  for (;;) {
    for (const call of openCalls(parts.book.steps)) {
      stopIfLeft(parts)
      // An answer may ask for many things, each of them slow.
      const late = overTime(parts)
      if (late) return { state: 'failed', error: late }
      const result = call.begun ? await goOn(parts, call.begun) : await act(parts, call.use)
      if (result.endsRun) return { state: 'done' }
    }
    if (wasHandedIn(parts.book)) return { state: 'done' }

    const answer = newestAnswer(parts.book.steps)
    const ending = answer && afterSilence(parts, answer)
    if (ending) return ending
    const limit = overLimit(parts)
    if (limit) return { state: 'failed', error: limit }
    const stuck = stuckness(parts.book.steps)
    if (stuck?.kind === 'fail') return { state: 'failed', error: stuck.error }

    stopIfLeft(parts)
    const notes = [...(stuck ? [stuck.note] : []), ...(answer ? [reminder] : [])]
    const refusal = await think(parts, notes)
    if (refusal) return { state: 'failed', error: refusal }
  }
}

/** Thrown to leave a run for the next worker: this process is going down, the run is not. */
export class Leaving extends Error {}

function stopIfLeft({ leaving, context }: LoopParts): void {
  context.signal.throwIfAborted()
  if (leaving.aborted) throw new Leaving('the worker is going down')
}

/** Whose lease is lost writes nothing, above all not that a person stopped it: whoever comes next goes on from here. */
function stopIfLost({ context: { signal } }: LoopParts): void {
  if (signal.aborted && signal.reason instanceof LeaseLost) throw signal.reason
}

function wasHandedIn({ steps }: Book): boolean {
  const last = steps.at(-1)
  return last?.kind === 'tool' && last.output?.endsRun === true
}

/** The newest answer called no tool. A manager has said what it had to say; others are reminded once. */
function afterSilence({ book, purpose }: LoopParts, answer: ModelAnswer): Ending | null {
  if (answer.stop === 'refusal') return { state: 'failed', error: 'The model declined to go on with this.' }
  if (purpose === 'plan' && answer.stop !== 'length' && answer.text.trim() !== '') return { state: 'done' }
  const last = book.steps.at(-1)
  if (last?.kind === 'model' && last.input.notes.includes(reminder))
    return { state: 'failed', error: 'It stopped without finishing.' }
  return null
}

function overLimit(parts: LoopParts): string | null {
  const { steps } = parts.role.limits
  const taken = parts.book.steps.filter(({ kind }) => kind === 'model').length
  if (taken >= steps) return `It reached its limit of ${steps} steps without finishing.`
  return overTime(parts)
}

function overTime({ role, startedAt }: LoopParts): string | null {
  const { minutes } = role.limits
  if (Date.now() - startedAt.getTime() > minutes * 60_000)
    return `It reached its limit of ${minutes} minutes without finishing.`
  return null
}

/** Prepare, call, record. Answers why the run cannot go on, or null. */
async function think(parts: LoopParts, notes: string[]): Promise<string | null> {
  const { book, opening, model, llm, tools, deltas, context, leaving } = parts
  const heardSeq = Math.max(
    opening.heardSeq,
    ...book.steps.map((step) => (step.kind === 'model' ? step.input.heardSeq : 0)),
  )
  const before = book.steps.at(-1)
  // Whoever watched the broken call sees its half message go.
  if (before?.kind === 'model' && !before.output) deltas.end(before.input.messageId)
  const begun = await book.beginModel({
    async hear(tx) {
      const { texts, newest } = await parts.heard(tx, heardSeq)
      return { notes: [...notes, ...texts], heardSeq: newest }
    },
    model,
    provider: llm.describe(model).provider,
    prices: llm.prices(model),
    worst: worstCase(parts),
  })
  let { messageId } = begun.step.input
  try {
    const answer = await llm.stream(
      {
        model,
        system: opening.system,
        messages: messagesOf(opening.first, book.steps),
        tools: tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
        maxTokens: maxAnswerTokens,
      },
      {
        signal: AbortSignal.any([context.signal, leaving]),
        onText: (text) => deltas.say(messageId, text),
        onRestart() {
          deltas.end(messageId)
          messageId = newId<MessageId>()
        },
      },
    )
    await book.endModel(begun, answer, messageId)
    return null
  } catch (error) {
    if (!isAppError(error)) throw error
    await book.failModel(begun, (error as { usage?: TokenUsage }).usage)
    stopIfLeft(parts)
    return error.message
  } finally {
    deltas.end(messageId)
  }
}

/** An estimate on the high side: prose has about four bytes a token, code about three. The spare is for what is said meanwhile. */
function worstCase({ opening, book, tools }: LoopParts): TokenUsage {
  const sent = [opening.system, messagesOf(opening.first, book.steps), tools.map(({ inputSchema }) => inputSchema)]
  const inputTokens = Math.ceil(Buffer.byteLength(JSON.stringify(sent)) / 3) + spareTokens
  return { inputTokens, outputTokens: maxAnswerTokens, cacheReadTokens: 0, cacheWriteTokens: 0 }
}
const spareTokens = 2_000

/** Permit, begin, execute, end: one call that nobody has begun. */
async function act(parts: LoopParts, use: ToolUsePart): Promise<ToolOutput> {
  const { book } = parts
  const seq = (book.steps.at(-1)?.seq ?? 0) + 1
  const name = use.name.slice(0, 64)
  const permitted = permit(parts, use, seq)
  if ('refusal' in permitted)
    return book.refuseTool(use, name, oneLine(`${name} ${hint(use)}`), refuse(permitted.refusal))
  const { call } = permitted
  const intended = (await guarded(parts, async () => (await call.intend?.()) ?? { intent: null })) as
    { intent: unknown } | { outcome: ToolOutcome } | ToolOutcome
  if ('text' in intended) return book.refuseTool(use, name, call.title, intended)
  if ('outcome' in intended) return book.refuseTool(use, name, call.title, intended.outcome)
  const step = await book.beginTool(use, name, call.title, intended.intent)
  return finishTool(parts, step, () => call.run())
}

/** A call that an earlier worker began and whose result nobody stored. */
async function goOn(parts: LoopParts, step: ToolStepRow): Promise<ToolOutput> {
  const permitted = permit(parts, step.input.use, step.seq)
  if ('refusal' in permitted) return parts.book.endTool(step, refuse(permitted.refusal))
  return finishTool(parts, step, () => permitted.call.resume(step.input.intent))
}

async function finishTool(parts: LoopParts, step: ToolStepRow, work: () => Promise<ToolOutcome>): Promise<ToolOutput> {
  const outcome = await guarded(parts, work)
  stopIfLost(parts)
  if (!parts.context.signal.aborted) return parts.book.endTool(step, outcome)
  await parts.book.endTool(step, {
    state: 'interrupted',
    figure: 'stopped',
    text: `Stopped by a person.\n${outcome.text}`,
  })
  throw parts.context.signal.reason
}

/** Asks the role's list, then checks the arguments. Offered or not, what is not on the list is refused. */
function permit(parts: LoopParts, use: ToolUsePart, seq: number): { call: ToolCall } | { refusal: string } {
  const { tools, role, book, context } = parts
  const tool = tools.find(({ name }) => name === use.name)
  const own = tools.map(({ name }) => name).join(', ')
  if (!tool) return { refusal: `The ${called(role)} has no tool \`${use.name.slice(0, 64)}\` here. Yours are: ${own}.` }
  if (use.malformed !== undefined)
    return {
      refusal: `The arguments of ${use.name} were not a JSON object: \`${use.malformed.slice(0, 200)}\`. Call ${use.name} again with valid JSON.`,
    }
  const seen = filesSeen(book.steps)
  const call = tool.open(use.input, { ...context, seen, step: (part) => parts.stepRef(seq, part) })
  return 'refusal' in call ? call : { call }
}

/** A tool that breaks is a result too. Only a lost lease goes past, since then nothing may be written any more. */
async function guarded<T>(parts: LoopParts, work: () => Promise<T>): Promise<T | ToolOutcome> {
  try {
    return await work()
  } catch (error) {
    const { log, context } = parts
    if (error instanceof LeaseLost) throw error
    stopIfLost(parts)
    if (context.signal.aborted) return { state: 'interrupted', text: 'Stopped.' }
    if (isAppError(error)) return refuse(error.message, { figure: 'failed' })
    log.error({ err: error, runId: context.run.id }, 'a tool broke')
    return refuse('The tool broke inside Guildhall; that is logged. Try another way.', { figure: 'failed' })
  }
}

const hint = ({ input }: ToolUsePart) =>
  typeof input === 'object' && input !== null && 'path' in input && typeof input.path === 'string' ? input.path : ''
