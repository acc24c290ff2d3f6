import type { CheckResult } from '@guildhall/protocol/tasks.ts'

/** Where a click on evidence leads: the very output it stands for. The workbench shows it. */
export interface EvidenceDoors {
  onEvidence(seq: number): void
  onResult(result: CheckResult, seq: number): void
}
