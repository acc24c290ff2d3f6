import { Failure, type Step } from './wire.ts'

const maxRuns = 10_000

/**
 * Fencing inside the sandbox: the worker that takes over a run announces its epoch first; a call that still carries a
 * lower one comes from a worker that lost its lease and is refused. Kept in memory: with the supervisor end all the
 * processes a late worker could disturb.
 */
export class Claims {
  readonly #epochs = new Map<string, number>()

  claim(runId: string, epoch: number): void {
    const known = this.#epochs.get(runId)
    if (known !== undefined && epoch < known) throw superseded(runId, epoch, known)
    this.#epochs.delete(runId)
    this.#epochs.set(runId, epoch)
    if (this.#epochs.size > maxRuns) this.#epochs.delete(this.#epochs.keys().next().value!)
  }

  /** Every mutating call passes here; calls of people carry no step. */
  admit(step: Step | null): void {
    if (step) this.claim(step.runId, step.epoch)
  }
}

const superseded = (runId: string, epoch: number, known: number) =>
  new Failure('stale', `Run ${runId} is now held with epoch ${known}; epoch ${epoch} may change nothing more`)
