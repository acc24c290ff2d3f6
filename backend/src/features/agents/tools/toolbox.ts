import type { ToolName } from '@guildhall/protocol/crew.ts'
import { commit } from './commit.ts'
import { edit } from './edit.ts'
import { finish } from './finish.ts'
import { grep } from './grep.ts'
import { plan } from './plan.ts'
import { read } from './read.ts'
import { shell } from './shell.ts'
import type { Tool } from './tool.ts'
import { verdict } from './verdict.ts'
import { write } from './write.ts'

/** Every tool by its name. The order is part of the cached prompt: append, never reorder. */
export const toolbox: Record<ToolName, Tool> = { read, edit, write, shell, grep, commit, plan, verdict, finish }

export const isToolName = (name: string): name is ToolName => Object.hasOwn(toolbox, name)

/** The tools that are offered, always in the toolbox's order. */
export const toolsNamed = (names: readonly ToolName[]): Tool[] =>
  Object.values(toolbox).filter(({ name }) => names.includes(name))
