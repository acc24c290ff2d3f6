import { z } from 'zod'
import { FinishInput, PlanInput, VerdictInput } from './tasks.ts'

/**
 * The tools as a model sees them (docs: design/crew.md). One schema a tool; the JSON Schema a provider gets is made
 * from it, so what is promised and what is checked cannot drift apart.
 */
const path = z.string().min(1).max(1_000).describe('Path relative to your work tree')

export const ToolArguments = {
  read: z.strictObject({
    path,
    offset: z.int().min(1).optional().describe('First line, from 1'),
    limit: z.int().min(1).max(2_000).optional().describe('How many lines, at most 2000'),
  }),
  edit: z.strictObject({
    path,
    old: z.string().min(1).describe('The exact text to replace; it must stand in the file exactly once'),
    new: z.string().describe('What stands there afterwards'),
    all: z.boolean().optional().describe('Replace every occurrence'),
  }),
  write: z.strictObject({ path, content: z.string().describe('The whole file') }),
  shell: z.strictObject({
    command: z.string().min(1).max(20_000),
    cwd: z.string().max(1_000).optional().describe('Folder relative to your work tree'),
    timeoutMs: z.int().min(100).max(600_000).optional(),
  }),
  grep: z.strictObject({
    pattern: z.string().min(1).max(1_000).describe('A ripgrep pattern'),
    path: path.optional(),
    glob: z.string().max(300).optional(),
    context: z.int().min(0).max(10).optional(),
    max: z.int().min(1).max(500).optional(),
  }),
  commit: z.strictObject({
    message: z.string().trim().min(5).max(4_000).describe('Conventional: type(scope): what changes'),
    boxes: z.array(z.int().min(1)).max(6).optional().describe('Numbers of the boxes this commit finishes, from 1'),
  }),
  plan: PlanInput,
  verdict: VerdictInput,
  finish: FinishInput,
} as const

export type ToolName = keyof typeof ToolArguments
export type ToolArgument<Name extends ToolName> = z.infer<(typeof ToolArguments)[Name]>
export const ToolName = z.enum(Object.keys(ToolArguments) as [ToolName, ...ToolName[]])
