import { brokenStanding, type CriterionName, type Task } from '@guildhall/protocol/tasks.ts'
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

/** The promises that a task which waits for the person breaks, by its newest check run. */
export function brokenPromises(task: Task, checks: readonly CheckedAt[]): CriterionName[] {
  const newest = checks.at(-1)?.checkRun
  return task.state === 'needs_you' && newest ? brokenStanding(newest) : []
}
