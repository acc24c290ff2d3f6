import { z } from 'zod'
import { Sha, TaskId, Timestamp } from './ids.ts'
import { Role } from './roles.ts'

/** `role` and `taskId` are set on branches that the crew made. */
export const Branch = z.object({
  name: z.string(),
  head: Sha,
  base: Sha.nullable(),
  ahead: z.int(),
  behind: z.int(),
  role: Role.nullable(),
  taskId: TaskId.nullable(),
  status: z.enum(['active', 'merged', 'abandoned']),
  updatedAt: Timestamp,
})
export type Branch = z.infer<typeof Branch>

export const Commit = z.object({
  sha: Sha,
  parents: z.array(Sha),
  author: z.object({ name: z.string(), email: z.string() }),
  role: Role.nullable(),
  at: Timestamp,
  subject: z.string(),
  body: z.string(),
})
export type Commit = z.infer<typeof Commit>

export const DiffLine = z.object({
  kind: z.enum(['context', 'added', 'removed']),
  text: z.string(),
  oldLine: z.int().nullable(),
  newLine: z.int().nullable(),
})
export type DiffLine = z.infer<typeof DiffLine>

export const Hunk = z.object({
  oldStart: z.int(),
  oldLines: z.int(),
  newStart: z.int(),
  newLines: z.int(),
  heading: z.string(),
  lines: z.array(DiffLine),
})
export type Hunk = z.infer<typeof Hunk>

export const DiffFile = z.object({
  path: z.string(),
  oldPath: z.string().nullable(),
  status: z.enum(['added', 'modified', 'deleted', 'renamed']),
  binary: z.boolean(),
  additions: z.int(),
  deletions: z.int(),
  hunks: z.array(Hunk),
})
export type DiffFile = z.infer<typeof DiffFile>

/** `truncated`: past 2 MB of patch text the remaining files come without hunks. */
export const Diff = z.object({
  from: Sha,
  to: Sha,
  files: z.array(DiffFile),
  additions: z.int(),
  deletions: z.int(),
  truncated: z.boolean(),
})
export type Diff = z.infer<typeof Diff>

/** A branch name, `main`, or a full sha. Three-dot: the change `to` makes since it left `from`. */
export const DiffQuery = z.object({
  from: z.string().min(1).max(200).default('main'),
  to: z.string().min(1).max(200),
})

export const LogQuery = z.object({
  ref: z.string().min(1).max(200).default('main'),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

export const TreeQuery = z.object({ ref: z.string().min(1).max(200).default('main') })
export const FileQuery = TreeQuery.extend({ path: z.string().min(1).max(1_000) })

export const TreeEntry = z.object({
  path: z.string(),
  kind: z.enum(['file', 'directory', 'symlink']),
  sizeBytes: z.int().nullable(),
})
export type TreeEntry = z.infer<typeof TreeEntry>

export const FileAtRef = z.object({
  path: z.string(),
  sizeBytes: z.int(),
  binary: z.boolean(),
  content: z.string().nullable(),
})
export type FileAtRef = z.infer<typeof FileAtRef>

export const Conflict = z.object({ path: z.string() })
export type Conflict = z.infer<typeof Conflict>
