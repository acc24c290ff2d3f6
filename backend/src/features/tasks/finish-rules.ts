import type { FinishInput, Task } from '@guildhall/protocol/tasks.ts'

/** A finished tool step of the task, as a claim cites it. */
export interface Evidence {
  seq: number
  tool: string
  state: string
}

const changesFiles = new Set(['edit', 'write', 'apply_patch'])

/**
 * Why a task is not finished yet; empty when it may go on to its checks. Evidence is stale when a file was edited
 * after it: what it showed is no longer what stands there.
 */
export function finishRefusals(task: Task, input: FinishInput, evidence: Evidence[], hasWork: boolean): string[] {
  const refusals: string[] = []
  const open = task.boxes.flatMap(({ done, text }, index) => (done ? [] : [`${index + 1}. ${text}`]))
  if (open.length > 0) refusals.push(`Open boxes: ${open.join('; ')}. Finish them and name them in commit's \`boxes\`.`)
  if (!hasWork) refusals.push('The branch has no commit of yours. Do the work and commit it.')

  const bySeq = new Map(evidence.map((step) => [step.seq, step]))
  const lastEdit = Math.max(
    0,
    ...evidence.filter(({ tool, state }) => state === 'done' && changesFiles.has(tool)).map(({ seq }) => seq),
  )
  for (const claim of input.claims) {
    const name = `Claim "${claim.text}"`
    if (claim.evidence.length === 0)
      refusals.push(`${name} cites no event. Cite the [ev N] of the output that shows it.`)
    for (const seq of claim.evidence) {
      const step = bySeq.get(seq)
      if (!step)
        refusals.push(
          `${name} cites event ${seq}, which is no tool result of this task. Cite the [ev N] you were given.`,
        )
      else if (step.state !== 'done')
        refusals.push(
          `${name} cites event ${seq}, which did not come to an end (${step.state}). Run it again and cite that.`,
        )
      else if (seq < lastEdit && !changesFiles.has(step.tool))
        refusals.push(
          `${name} cites event ${seq}, but files were edited after it (event ${lastEdit}). Run it again and cite the new event.`,
        )
    }
  }
  return refusals
}
