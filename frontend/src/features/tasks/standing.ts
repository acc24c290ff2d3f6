import type { CriterionName, Task } from '@guildhall/protocol/tasks.ts'
import type { CheckedAt, Work } from './api.ts'

/** What a merged task promised, in a person's words. */
export interface Promised {
  name: CriterionName
  text: string
  /** The merged task that promised it; null when the log does not reach back to it. */
  task: Task | null
}

/** The criterion that a name such as `1/banner/3` stands for: number of the plan, key of the task, number from 1. */
export function promised(name: CriterionName, { plans, tasks }: Work): Promised {
  const [number, key, place] = name.split('/')
  const plan = Object.values(plans).find((each) => each.number === Number(number))
  const id = plan?.tasks.find((each) => each.key === key)?.id
  const task = id ? (tasks[id] ?? null) : null
  return { name, text: task?.criteria[Number(place) - 1]?.text ?? `criterion ${name}`, task }
}

/** What earlier tasks promised and the newest check run found broken, when all that is the task's own holds. */
export function brokenPromises(task: Task, checks: readonly CheckedAt[]): CriterionName[] {
  const newest = checks.at(-1)?.checkRun
  if (task.state !== 'needs_you' || !newest || newest.passed || newest.error !== null) return []
  const failed = newest.results.filter(({ passed }) => !passed)
  return failed.every(({ standing }) => standing !== null) ? failed.map(({ standing }) => standing!) : []
}
