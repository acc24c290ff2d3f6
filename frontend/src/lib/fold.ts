/** A reading of a log: a start and a pure step. The step never changes what it was given. */
export interface Fold<State, Entry> {
  initial: State
  step(state: State, entry: Entry): State
}

/**
 * Reads a growing list with a fold and goes on where it stopped when the list only grew, so that one new event costs
 * one step and not the whole log again.
 */
export function reading<State, Entry>({ initial, step }: Fold<State, Entry>): (entries: readonly Entry[]) => State {
  let seen: readonly Entry[] = []
  let state = initial
  return (entries) => {
    if (entries === seen) return state
    const grew = seen.length <= entries.length && seen[0] === entries[0] && seen.at(-1) === entries[seen.length - 1]
    const from = grew ? seen.length : 0
    if (!grew) state = initial
    for (let index = from; index < entries.length; index += 1) state = step(state, entries[index]!)
    seen = entries
    return state
  }
}
