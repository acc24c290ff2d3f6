import type { CheckResult, Criterion, Review, Task } from '@guildhall/protocol/tasks.ts'
import type { CheckedAt, Work } from './api.ts'

export type GateState = 'open' | 'running' | 'passed' | 'failed'

export interface CriterionProof {
  criterion: Criterion
  /** The newest result for it, and the event that holds it. */
  proof: { result: CheckResult; seq: number } | null
}

/** Each criterion with the newest result that carries its words. */
export function proofs(task: Task, checks: readonly CheckedAt[]): CriterionProof[] {
  return task.criteria.map((criterion) => {
    for (const { seq, checkRun } of checks.toReversed()) {
      const result = checkRun.results.find((each) => each.criterion === criterion.text)
      if (result) return { criterion, proof: { result, seq } }
    }
    return { criterion, proof: null }
  })
}

/** The newest results for what earlier tasks promised, each with the event that holds it. */
export function keptResults(checks: readonly CheckedAt[]): { result: CheckResult; seq: number }[] {
  const newest = checks.at(-1)
  if (!newest) return []
  const kept = newest.checkRun.results.filter(({ standing }) => standing !== null)
  return kept.map((result) => ({ result, seq: newest.seq }))
}

export interface Gates {
  branch: { state: GateState; last: CheckedAt | null }
  review: { state: GateState; last: Review | null }
  constraints: { state: GateState }
  merge: { state: GateState; last: CheckedAt | null }
}

const passing = (passed: boolean | undefined, isRunning: boolean): GateState =>
  isRunning ? 'running' : passed === undefined ? 'open' : passed ? 'passed' : 'failed'

/** The gates a task passes on its way to main. What was said about an older tree does not count for the newest one. */
export function gates(task: Task, { checks, reviews }: Work): Gates {
  const runs = checks[task.id] ?? []
  const branch = runs.findLast(({ checkRun }) => checkRun.stage === 'branch') ?? null
  const merge = runs.findLast(({ checkRun }) => checkRun.stage === 'merge') ?? null
  const review = (reviews[task.id] ?? []).at(-1) ?? null
  const isCurrent = (tree: string) => task.tree === null || tree === task.tree
  const checked = branch && isCurrent(branch.checkRun.tree) ? branch.checkRun.passed : undefined
  const reviewed = review && isCurrent(review.tree) ? review.verdict === 'approve' : undefined
  return {
    branch: { state: passing(checked, task.state === 'checking'), last: branch },
    review: { state: passing(reviewed, task.state === 'reviewing'), last: review },
    constraints: { state: checked ? 'passed' : 'open' },
    merge: {
      state: task.mergedAs
        ? 'passed'
        : passing(merge?.checkRun.passed === false ? false : undefined, task.state === 'merging'),
      last: merge,
    },
  }
}
