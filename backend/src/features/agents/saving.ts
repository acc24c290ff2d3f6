import type { Log } from '../../platform/log.ts'

const everyMs = 15_000

/**
 * Saves again and again while a run works, one save at a time, and once more at its end. Work goes on whatever a save
 * says: what cannot be saved now is saved the next time. Answers what ends it.
 */
export function keepSaved(save: () => Promise<void>, log: Log, ms = everyMs): () => Promise<void> {
  let last = Promise.resolve()
  const saveNow = () =>
    (last = last.then(save).catch((error: unknown) => log.error({ err: error }, 'work could not be saved')))
  let isSaving = false
  const timer = setInterval(() => {
    if (isSaving) return
    isSaving = true
    void saveNow().finally(() => (isSaving = false))
  }, ms)
  return () => {
    clearInterval(timer)
    return saveNow()
  }
}
