import type { ProjectDetail } from '@guildhall/protocol/projects.ts'
import type { CheckResult } from '@guildhall/protocol/tasks.ts'
import type { Views } from './view.ts'

/** What every part of the workbench is handed. */
export interface Bench {
  detail: ProjectDetail
  projectId: string
  userId: string
  /** Editors and owners, while the project is not archived; everyone else only looks. */
  canWork: boolean
  /** Why the reader cannot work here; null when they can. */
  readOnly: string | null
  views: Views
  onOpenTask(taskId: string): void
  /** Opens the output behind an event's number. */
  onEvidence(seq: number): void
  /** Opens what the sandbox may reach. */
  onHosts(): void
  /** Opens what the project runs in. */
  onSandbox(): void
  onResult(result: CheckResult, seq: number): void
}

/** The repository stands, and what comes after it failed: there is much to read, and nothing runs. */
export const isHalfMade = ({ detail: { project } }: Bench): boolean =>
  project.status === 'error' && (project.provisioning?.done ?? 0) > 0

/** While a project is being made, only the chat is there yet. */
export const isBeingMade = (bench: Bench): boolean =>
  bench.detail.project.status === 'creating' || (bench.detail.project.status === 'error' && !isHalfMade(bench))
