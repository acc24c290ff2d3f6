import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Criterion, CriterionName, Task } from '@guildhall/protocol/tasks.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import type { RepositoryService } from '../repository/service.ts'
import { listMerged } from './store.ts'

/** A criterion of a merged task that later work on the same files has to keep. */
export interface StandingCriterion extends Criterion {
  name: CriterionName
  /** The merged task that brought it. */
  task: Task
}

/** A criterion as a check run takes it: the task's own, or a standing one by its name. */
export interface Asked extends Criterion {
  standing: CriterionName | null
}

/** What main keeps, newest first: the criteria of merged tasks, without those that a merged task replaces. */
export async function listStanding(db: Db, projectId: ProjectId): Promise<StandingCriterion[]> {
  const merged = await listMerged(db, projectId)
  const replaced = new Set(merged.flatMap(({ task }) => task.replaces))
  return merged.flatMap(({ task, planNumber }) =>
    task.criteria
      .map((criterion, index) => ({ ...criterion, name: `${planNumber}/${task.key}/${index + 1}`, task }))
      .filter(({ name }) => !replaced.has(name)),
  )
}

/**
 * What must hold on a task's tree: its own criteria, then the standing ones of merged tasks that touch the same files,
 * without those it replaces. The same command is asked once.
 */
export async function askedOf(
  { db, repository }: { db: Database; repository: RepositoryService },
  task: Task,
): Promise<Asked[]> {
  const { projectId } = task
  const mine = new Set(await repository.changedPaths(projectId, task.base!, task.head!))
  const standing = await db.system((tx) => listStanding(tx, projectId))
  const touching = new Map<Task, boolean>()
  for (const { task: other } of standing) {
    if (touching.has(other)) continue
    const theirs = await repository.changedPaths(projectId, other.base!, other.head!)
    touching.set(
      other,
      theirs.some((path) => mine.has(path)),
    )
  }
  const kept = standing.filter(({ name, task: other }) => touching.get(other) && !task.replaces.includes(name))
  const asked: Asked[] = [
    ...task.criteria.map((criterion) => ({ ...criterion, standing: null })),
    ...kept.map(({ name, check, text, task: other }) => ({
      ...{ check, standing: name, text: `${other.title}: ${text}`.slice(0, 500) },
    })),
  ]
  const seen = new Set<string>()
  return asked.filter(({ check }) => {
    const command = JSON.stringify(check.argv)
    if (seen.has(command)) return false
    seen.add(command)
    return true
  })
}
