import type { Run, ToolStep } from '@guildhall/protocol/agents.ts'
import type { Message } from '@guildhall/protocol/conversations.ts'
import type { TaskState } from '@guildhall/protocol/tasks.ts'
import type { Event } from '@guildhall/protocol/events.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { SandboxDisk } from '@guildhall/protocol/sandbox.ts'
import { duration, plural, shareOf, shortSha } from '../../lib/format.ts'
import { type Fold, reading } from '../../lib/fold.ts'
import { roleLook } from '../../lib/roles.ts'

export type NoteTone = 'neutral' | 'ok' | 'warn' | 'bad'

export type TurnPart =
  | { kind: 'text'; id: string; text: string }
  /** `seq` is the event that shows the result once there is one: what claims cite. */
  | { kind: 'tool'; id: string; seq: number; step: ToolStep }

/** What an agent said and did in one go. */
export interface Turn {
  kind: 'turn'
  id: string
  runId: string
  role: Role
  taskId: string | null
  at: string
  parts: readonly TurnPart[]
}

export type ChatItem =
  | { kind: 'person'; id: string; message: Message }
  | Turn
  | { kind: 'plan'; id: string; planId: string }
  | { kind: 'task'; id: string; at: string; taskId: string; title: string; text: string; tone: NoteTone }
  | { kind: 'note'; id: string; at: string; text: string; tone: NoteTone }
  | Refusal

/** Something outside that the sandbox asked for in vain; `allow` is what an owner could allow. */
export interface Refusal {
  kind: 'refusal'
  id: string
  at: string
  target: string
  reason: string
  allow: string | null
  isAllowed: boolean
}

const noteId = ({ seq }: Event) => `e${seq}`
const stepId = ({ runId, seq }: ToolStep) => `${runId}.${seq}`

/**
 * Where a part of a run goes: into that run's last turn while only other agents' work stands after it, so that two
 * agents who work at once do not cut each other's turns to pieces.
 */
function turnIndex(items: readonly ChatItem[], runId: string): number {
  for (let index = items.length - 1; index >= 0; index -= 1) {
    const item = items[index]!
    if (item.kind === 'turn' && item.runId === runId) return index
    if (item.kind !== 'turn') return -1
  }
  return -1
}

interface Speaker {
  runId: string
  role: Role
  taskId: string | null
  at: string
}

function say(items: readonly ChatItem[], speaker: Speaker, part: TurnPart): readonly ChatItem[] {
  const index = turnIndex(items, speaker.runId)
  if (index < 0) return [...items, { kind: 'turn', id: part.id, ...speaker, parts: [part] }]
  const turn = items[index] as Turn
  return items.with(index, { ...turn, parts: [...turn.parts, part] })
}

/** Puts a step's outcome where its beginning stands. Null when the beginning is not in the log. */
function settle(items: readonly ChatItem[], step: ToolStep, seq: number): readonly ChatItem[] | null {
  const id = stepId(step)
  for (let index = items.length - 1; index >= 0; index -= 1) {
    const item = items[index]!
    if (item.kind !== 'turn' || item.runId !== step.runId) continue
    const at = item.parts.findIndex((part) => part.id === id)
    if (at >= 0) return items.with(index, { ...item, parts: item.parts.with(at, { kind: 'tool', id, seq, step }) })
  }
  return null
}

function addMessage(items: readonly ChatItem[], event: Event, message: Message): readonly ChatItem[] {
  const { sender, id, content } = message
  if (sender.kind === 'user') return [...items, { kind: 'person', id, message }]
  if (sender.kind === 'system') return [...items, { kind: 'note', id, at: event.at, text: content, tone: 'neutral' }]
  const speaker = {
    runId: message.runId ?? sender.agentId,
    role: sender.role,
    taskId: message.taskId,
    at: event.at,
  }
  return say(items, speaker, { kind: 'text', id, text: content })
}

function runNote(event: Event, run: Run): ChatItem[] {
  const who = roleLook(run.role).name
  const note = (text: string, tone: NoteTone): ChatItem[] => [
    { kind: 'note', id: noteId(event), at: event.at, text, tone },
  ]
  if (run.state === 'failed') return note(`${who} had to stop: ${run.error ?? 'no reason was given'}`, 'bad')
  if (run.state === 'cancelled') return note(`${who} was stopped.`, 'neutral')
  return []
}

/** The same again says nothing new: it stays one line, with the time of the last try. */
function addRefusal(items: readonly ChatItem[], event: Event & { type: 'egress.refused' }): readonly ChatItem[] {
  const { target, reason, allow } = event.data
  const known = items.findIndex((item) => item.kind === 'refusal' && item.target === target && item.reason === reason)
  if (known >= 0) return items.with(known, { ...(items[known] as Refusal), at: event.at })
  return [...items, { kind: 'refusal', id: noteId(event), at: event.at, target, reason, allow, isAllowed: false }]
}

/** A refusal that has its answer says so in its own place; without one before, the change is a line of its own. */
function settleHost(items: readonly ChatItem[], event: Event, target: string, isAllowed: boolean): readonly ChatItem[] {
  const isMeant = (item: ChatItem) => item.kind === 'refusal' && item.allow === target
  const settled = items.map((item) => (isMeant(item) ? { ...(item as Refusal), isAllowed } : item))
  if (isAllowed && items.some(isMeant)) return settled
  const text = isAllowed
    ? `Code in the sandbox may reach \`${target}\` from now on.`
    : `Code in the sandbox may not reach \`${target}\` any more.`
  return [...settled, { kind: 'note', id: noteId(event), at: event.at, text, tone: 'neutral' }]
}

function diskNote(event: Event, { state, usedBytes, limitBytes, ended }: SandboxDisk): ChatItem {
  const share = shareOf(usedBytes, limitBytes)
  // What programs call themselves is their own word.
  const names = ended.map((name) => `\`${name.replaceAll('`', '')}\``).join(', ')
  const [text, tone] = {
    ok: [`The sandbox’s disk has room again: ${share}.`, 'ok'],
    near: [`The sandbox’s disk is nearly full: ${share}.`, 'warn'],
    full: [`The sandbox’s disk is full: ${share}. Nothing is written until something is deleted.`, 'bad'],
    host_full: ['The machine has less than a tenth of its disk left. Nothing is written in any sandbox.', 'bad'],
  }[state] as [string, NoteTone]
  const stopped = names ? ` Stopped, because it went on writing: ${names}.` : ''
  return { kind: 'note', id: noteId(event), at: event.at, text: text + stopped, tone }
}

const firstLine = (text: string) => text.split('\n', 1)[0]!

/** One line for a change of a task's state; null for what is seen elsewhere. */
function taskLine(event: Event): { text: string; tone: NoteTone } | null {
  switch (event.type) {
    case 'task.started':
      return {
        text: startWord[event.data.task.state] ?? `${roleLook(event.data.task.role).name} started`,
        tone: 'neutral',
      }
    case 'task.finished':
      return { text: `finished with ${plural(event.data.task.claims.length, 'claim')}; checks next`, tone: 'neutral' }
    case 'task.checked': {
      const { passed, results, stage, error, startedAt, endedAt } = event.data.checkRun
      const good = results.filter((result) => result.passed).length
      const where = stage === 'merge' ? 'on the merged tree' : 'in a clean container'
      const took = duration(Date.parse(endedAt) - Date.parse(startedAt))
      const counted =
        error ??
        `${good} of ${plural(results.length, 'check')} ${good === 1 && results.length === 1 ? 'passes' : 'pass'} ${where}`
      return { text: `${counted} · ${took}`, tone: passed ? 'ok' : 'bad' }
    }
    case 'task.reviewed': {
      const { review } = event.data
      const who = roleLook(review.role).name
      return review.verdict === 'approve'
        ? { text: `${who} approved: ${review.summary}`, tone: 'ok' }
        : { text: `${who} asked for changes: ${review.summary}`, tone: 'warn' }
    }
    case 'task.returned':
      return { text: `went back to its author: ${firstLine(event.data.reason)}`, tone: 'warn' }
    case 'task.amended': {
      const count = event.data.task.replaces.length
      return { text: `may replace ${plural(count, 'earlier promise')}`, tone: 'neutral' }
    }
    case 'task.queued':
      return { text: 'in the merge queue', tone: 'neutral' }
    case 'task.merged': {
      const { mergedAs } = event.data.task
      return { text: mergedAs ? `merged into main as ${shortSha(mergedAs)}` : 'merged into main', tone: 'ok' }
    }
    // The house's own message beside these two tells the whole reason.
    case 'task.failed':
      return { text: 'failed; main is as it was', tone: 'bad' }
    case 'task.stopped':
      return { text: 'needs you', tone: 'warn' }
    case 'task.held':
      return event.data.task.reason ? { text: event.data.task.reason, tone: 'neutral' } : null
    case 'task.cancelled':
      return { text: 'cancelled', tone: 'neutral' }
    default:
      return null
  }
}

/** Where a task that had stopped goes on, when that is not with its author. */
const startWord: Partial<Record<TaskState, string>> = {
  checking: 'goes on with its checks',
  reviewing: 'goes on with its review',
  merging: 'goes on in the merge queue',
}

/** The chat as a reading of the project's log. */
export const chatFold: Fold<readonly ChatItem[], Event> = {
  initial: [],
  step(items, event) {
    switch (event.type) {
      case 'message.sent':
        return addMessage(items, event, event.data.message)
      case 'agent.step.begun':
      case 'agent.step.finished': {
        const { step, role, taskId } = event.data
        const settled = settle(items, step, event.seq)
        if (settled) return settled
        return say(
          items,
          { runId: step.runId, role, taskId, at: event.at },
          { kind: 'tool', id: stepId(step), seq: event.seq, step },
        )
      }
      case 'plan.submitted':
        return [...items, { kind: 'plan', id: noteId(event), planId: event.data.plan.id }]
      case 'plan.returned':
        return [
          ...items,
          {
            kind: 'note',
            id: noteId(event),
            at: event.at,
            text: `Changes asked for: ${event.data.comment}`,
            tone: 'warn',
          },
        ]
      case 'agent.run.finished':
        return [...items, ...runNote(event, event.data.run)]
      case 'disk.crossed':
        return [...items, diskNote(event, event.data.disk)]
      case 'egress.refused':
        return addRefusal(items, event)
      case 'egress.allowed':
        return settleHost(items, event, event.data.host.target, true)
      case 'egress.withdrawn':
        return settleHost(items, event, event.data.target, false)
      default: {
        const line = taskLine(event)
        if (!line || !('task' in event.data)) return items
        const { id, title } = event.data.task
        return [...items, { kind: 'task', id: noteId(event), at: event.at, taskId: id, title, ...line }]
      }
    }
  },
}

export const readChat = reading(chatFold)
