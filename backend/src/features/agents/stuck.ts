import type { Step, ToolStepRow } from './ledger.ts'

export type Stuck = { kind: 'nudge'; note: string } | { kind: 'fail'; error: string } | null

const equalErrors = 3
const equalActions = 4

/** Times, durations and event numbers differ from try to try and mean nothing. */
const essence = (step: ToolStepRow) =>
  (step.output?.text ?? '').replace(/^\[ev \d+\]\s*/, '').replaceAll(/\d+(?:\.\d+)? ?m?s\b/g, '…')

/** Whether a run turns in circles: the same action with the same result, or the same error again and again. */
export function stuckness(steps: readonly Step[]): Stuck {
  const tools = steps.filter((step): step is ToolStepRow => step.kind === 'tool' && step.state !== 'begun')
  const last = tools.at(-1)
  if (!last) return null
  const same = (isSame: (step: ToolStepRow) => boolean) =>
    tools.length - 1 - tools.findLastIndex((step) => !isSame(step))

  const action = (step: ToolStepRow) => JSON.stringify([step.name, step.input.use.input, essence(step)])
  if (same((step) => action(step) === action(last)) >= equalActions)
    return { kind: 'fail', error: `It was stuck: \`${last.input.title}\` gave the same result ${equalActions} times.` }

  if (last.state !== 'failed') return null
  const isSameError = (step: ToolStepRow) =>
    step.state === 'failed' && step.name === last.name && essence(step) === essence(last)
  const errors = same(isSameError)
  if (errors < equalErrors) return null
  const firstSeq = tools.at(-errors)!.seq
  const wasNudged = steps.some(
    (step) =>
      step.kind === 'model' && step.seq > firstSeq && step.input.notes.some((note) => note.startsWith(nudgeMark)),
  )
  if (wasNudged) return { kind: 'fail', error: `It was stuck: ${last.name} failed in the same way ${errors} times.` }
  return {
    kind: 'nudge',
    note: `${nudgeMark} ${last.name} has failed ${errors} times in the same way. Do not repeat it: read what the message says, look at the present state, and take another way.`,
  }
}

const nudgeMark = 'You are going in circles.'
