import type { Outcome, Run } from './exec.ts'
import { HeadAndTail } from './output.ts'
import type { Step } from './wire.ts'

const maxResults = 2_000
const maxTotalBytes = 64 * 1024 * 1024
const maxBytesEach = 1024 * 1024

type Kept = { run: Run } | { outcome: Outcome; bytes: number }

/**
 * Commands by the step they belong to. After the platform has lost its bridge, or its life, whoever resumes the run
 * asks here what became of the command instead of running it twice. Bounded by count and by bytes, oldest out first.
 */
export class Results {
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  begin(step: Step, run: Run): void {
    const key = keyOf(step)
    this.#kept.set(key, { run })
    void run.done.then((outcome) => this.#finish(key, outcome))
  }

  find(step: Step): Kept | null {
    return this.#kept.get(keyOf(step)) ?? null
  }

  #finish(key: string, outcome: Outcome): void {
    const stdout = bounded(outcome.stdout)
    const stderr = bounded(outcome.stderr)
    const leftOutBytes = outcome.end.leftOutBytes + stdout.leftOutBytes + stderr.leftOutBytes
    const bytes = stdout.bytes.length + stderr.bytes.length + 500
    const kept = { end: { ...outcome.end, leftOutBytes }, stdout: stdout.bytes, stderr: stderr.bytes }
    this.#kept.delete(key)
    this.#kept.set(key, { outcome: kept, bytes })
    this.#bytes += bytes
    for (const [oldKey, old] of this.#kept) {
      if (this.#kept.size <= maxResults && this.#bytes <= maxTotalBytes) break
      if ('run' in old) continue
      this.#kept.delete(oldKey)
      this.#bytes -= old.bytes
    }
  }
}

const keyOf = ({ runId, stepId }: Step) => `${runId}\n${stepId}`

function bounded(bytes: Buffer): { bytes: Buffer; leftOutBytes: number } {
  if (bytes.length <= maxBytesEach) return { bytes: Buffer.from(bytes), leftOutBytes: 0 }
  const keeper = new HeadAndTail(maxBytesEach)
  keeper.push(bytes)
  return { bytes: keeper.bytes(), leftOutBytes: keeper.leftOutBytes }
}
