import { Role } from '@guildhall/protocol/roles.ts'
import { roleLook } from '../../lib/roles.ts'

export interface Mention {
  role: Role
  /** What is written: `@engineer`. */
  word: string
  does: string
}

const does: Record<Exclude<Role, 'dev_manager'>, string> = {
  product_manager: 'stories and acceptance criteria',
  architect: 'decisions, design, security review',
  engineer: 'code and its tests',
  platform_engineer: 'Docker, CI, deployment',
  data_analyst: 'schemas, queries, charts',
}

/** Everyone a task can be given to. The manager reads each wish anyway and hands it on. */
export const mentions: readonly Mention[] = Role.exclude(['dev_manager']).options.map((role) => ({
  role,
  word: `@${roleLook(role).name.toLowerCase()}`,
  does: does[role],
}))

/** A mention that is being typed right before the caret. */
export interface OpenMention {
  /** Where its `@` stands. */
  start: number
  matches: readonly Mention[]
}

/** Null when no mention is being typed there, or nobody is called like that. */
export function openMention(text: string, caret: number): OpenMention | null {
  const typed = /(?:^|[\s(])(@[a-z]*)$/i.exec(text.slice(0, caret))?.[1]
  if (typed === undefined) return null
  const matches = mentions.filter(({ word }) => word.startsWith(typed.toLowerCase()))
  return matches.length > 0 ? { start: caret - typed.length, matches } : null
}

/** The text with the mention written out, and where the caret goes. */
export function complete(text: string, caret: number, start: number, word: string): { text: string; caret: number } {
  const after = text.slice(caret).replace(/^[a-z]*/i, '')
  const gap = /^\s/.test(after) ? '' : ' '
  return { text: text.slice(0, start) + word + gap + after, caret: start + word.length + 1 }
}
