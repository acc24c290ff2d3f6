import { z } from 'zod'
import { CostUsd, ProjectId, Sha, Timestamp, UserId } from './ids.ts'
import { Sandbox, SandboxState } from './sandbox.ts'

export const ProjectRole = z.enum(['viewer', 'editor', 'owner'])
export type ProjectRole = z.infer<typeof ProjectRole>

export const ProjectStatus = z.enum(['creating', 'active', 'archived', 'deleting', 'error'])
export type ProjectStatus = z.infer<typeof ProjectStatus>

/** Who must say yes before agents go on: everything, the plan only, or nobody (the document is still written). */
export const Autonomy = z.enum(['review_all', 'review_plan', 'auto'])
export type Autonomy = z.infer<typeof Autonomy>

export const ProjectConfig = z.object({
  model: z.string().max(120).nullable(),
  autonomy: Autonomy,
  /** The most that the project's model calls may cost in all; null: no limit. */
  budgetUsd: CostUsd.nullable(),
})
export type ProjectConfig = z.infer<typeof ProjectConfig>

/** Where creation stands. `failed` keeps the reason and can be tried again. */
export const Provisioning = z.object({
  step: z.string(),
  done: z.int(),
  total: z.int(),
  error: z.string().nullable(),
})
export type Provisioning = z.infer<typeof Provisioning>

export const Project = z.object({
  id: ProjectId,
  ownerId: UserId,
  name: z.string(),
  slug: z.string(),
  description: z.string(),
  status: ProjectStatus,
  templateSlug: z.string(),
  defaultBranch: z.string(),
  previewLabel: z.string(),
  config: ProjectConfig,
  provisioning: Provisioning.nullable(),
  version: z.int(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  lastActivityAt: Timestamp,
})
export type Project = z.infer<typeof Project>

/** A line of the projects page. */
export const ProjectCard = z.object({
  project: Project,
  role: ProjectRole,
  sandboxState: SandboxState,
  agentsAtWork: z.int(),
  branches: z.int(),
  waitsForYou: z.boolean(),
  costUsd: CostUsd,
})
export type ProjectCard = z.infer<typeof ProjectCard>

export const ProjectName = z.string().trim().min(1, 'a name is needed').max(80)

export const CreateProject = z.strictObject({
  name: ProjectName,
  description: z.string().trim().max(2_000).default(''),
  templateSlug: z.string().max(60).default('react-vite'),
  config: ProjectConfig.partial().optional(),
})
export type CreateProject = z.input<typeof CreateProject>

export const UpdateProject = z.strictObject({
  name: ProjectName.optional(),
  description: z.string().trim().max(2_000).optional(),
  config: ProjectConfig.partial().optional(),
  version: z.int32(),
})
export type UpdateProject = z.infer<typeof UpdateProject>

export const DeleteProject = z.strictObject({ confirmName: z.string() })

export const ProjectListQuery = z.object({
  q: z.string().max(200).optional(),
  status: z.enum(['active', 'archived']).default('active'),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
})
export type ProjectListQuery = z.infer<typeof ProjectListQuery>

/** `seq` is the log position this answer is true for: subscribe after it. */
export const ProjectDetail = z.object({
  project: Project,
  role: ProjectRole,
  container: Sandbox,
  head: Sha.nullable(),
  seq: z.int(),
})
export type ProjectDetail = z.infer<typeof ProjectDetail>

export const ProjectAnswer = z.object({ project: Project })
export const ProjectCreated = z.object({ project: Project, container: Sandbox })

export const Member = z.object({
  userId: UserId,
  username: z.string(),
  displayName: z.string(),
  role: ProjectRole,
  addedAt: Timestamp,
})
export type Member = z.infer<typeof Member>

export const AddMember = z.strictObject({ login: z.string().trim().min(1).max(254), role: ProjectRole })
export type AddMember = z.infer<typeof AddMember>
export const ChangeMember = z.strictObject({ role: ProjectRole })

export const ProjectTemplate = z.object({
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  stack: z.array(z.string()),
  setupCommand: z.string().nullable(),
  startCommand: z.string(),
  testCommand: z.string().nullable(),
})
export type ProjectTemplate = z.infer<typeof ProjectTemplate>
