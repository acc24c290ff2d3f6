import type { CriterionName, PlanInput, PlanTask } from '@guildhall/protocol/tasks.ts'
import { basename } from 'node:path/posix'

/**
 * What is wrong with a plan beyond its shape, in plain words that name the task; empty when it can be shown to a
 * person. The texts go back to the model that wrote the plan, so each says the next step. `standing` names the criteria
 * that main keeps: no other can be replaced.
 */
export function planComplaints(plan: PlanInput, standing: ReadonlySet<CriterionName>): string[] {
  return [
    ...keyComplaints(plan.tasks),
    ...dependencyComplaints(plan.tasks),
    ...plan.tasks.flatMap(taskComplaints),
    ...plan.tasks.flatMap((task) => replaceComplaints(task, standing)),
  ]
}

const replaceComplaints = ({ key, replaces }: PlanTask, standing: ReadonlySet<CriterionName>): string[] =>
  replaces
    .filter((name) => !standing.has(name))
    .map(
      (name) => `Task "${key}" replaces ${name}, which main does not keep. Name only what the list shows, or nothing.`,
    )

function keyComplaints(tasks: PlanTask[]): string[] {
  const seen = new Set<string>()
  return tasks.flatMap(({ key }) => {
    if (!seen.has(key)) {
      seen.add(key)
      return []
    }
    return [`Two tasks have the key "${key}". Give each task a key of its own.`]
  })
}

function dependencyComplaints(tasks: PlanTask[]): string[] {
  const byKey = new Map(tasks.map((task) => [task.key, task]))
  const complaints = tasks.flatMap((task) =>
    task.dependsOn
      .filter((key) => !byKey.has(key))
      .map((key) => `Task "${task.key}" depends on "${key}", which is not in the plan. Name a key of this plan.`),
  )
  const circle = findCircle(byKey)
  if (circle) complaints.push(`These tasks wait for each other: ${circle.join(' → ')}. Take one dependency away.`)
  return complaints
}

/** The keys of one dependency circle, first key repeated at the end; null when there is none. */
function findCircle(byKey: Map<string, PlanTask>): string[] | null {
  const finished = new Set<string>()
  const visit = (key: string, path: string[]): string[] | null => {
    if (finished.has(key)) return null
    const at = path.indexOf(key)
    if (at >= 0) return [...path.slice(at), key]
    for (const next of byKey.get(key)?.dependsOn ?? []) {
      const circle = visit(next, [...path, key])
      if (circle) return circle
    }
    finished.add(key)
    return null
  }
  for (const key of byKey.keys()) {
    const circle = visit(key, [])
    if (circle) return circle
  }
  return null
}

/** Commands that pass whatever the code does prove nothing. */
const provesNothing = new Set(['true', ':', 'echo', 'printf', 'sleep', 'exit'])

function taskComplaints(task: PlanTask): string[] {
  const complaints: string[] = []
  if (/\n\s*\n/.test(task.goal)) complaints.push(`Task "${task.key}": the goal is one paragraph, without empty lines.`)
  if (/^\s*[[<{].*[\]>}]\s*$/s.test(task.goal) || /^\s*[[<{].*[\]>}]\s*$/.test(task.title))
    complaints.push(`Task "${task.key}": replace the placeholder in brackets with what is wanted.`)
  for (const criterion of task.criteria)
    if (provesNothing.has(basename(criterion.check.argv[0]!)))
      complaints.push(
        `Task "${task.key}", criterion "${criterion.text}": the check \`${criterion.check.argv.join(' ')}\` passes whatever the code does. Name a command that fails until the criterion is met.`,
      )
  return complaints
}
