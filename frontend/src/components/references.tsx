import { createContext, useContext } from 'react'

/**
 * What a piece of code in a text points at, if anything: a file, an event. Whoever shows texts about a project puts the
 * answer around them; without one, nothing is a reference. `scope` is the task that a text is about.
 */
export type Resolve = (text: string, scope: string | null) => (() => void) | null

const References = createContext<Resolve>(() => null)
const Scope = createContext<string | null>(null)
export const ReferencesProvider = References.Provider
export const ReferenceScope = Scope.Provider

export function useReference(text: string | null): (() => void) | null {
  const resolve = useContext(References)
  const scope = useContext(Scope)
  return text === null ? null : resolve(text, scope)
}
