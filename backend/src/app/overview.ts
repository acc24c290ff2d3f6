import type { ProjectId, Sha } from '@guildhall/protocol/ids.ts'
import type { SandboxState } from '@guildhall/protocol/sandbox.ts'
import { sql } from 'drizzle-orm'
import type { ProjectOverview } from '../features/projects/service.ts'
import type { Database } from '../platform/db/database.ts'

/**
 * What the lines of the projects page say about each project's sandbox, crew, branches and money, in one query: six
 * features know a part each, and a page of fifty projects must not ask each of them fifty times. The caller has asked
 * for permission.
 */
export async function readOverview(db: Database, projectIds: ProjectId[]): Promise<Map<ProjectId, ProjectOverview>> {
  if (projectIds.length === 0) return new Map()
  const { rows } = await db.system((tx) =>
    tx.execute<{
      id: ProjectId
      sandbox_state: SandboxState | null
      agents_at_work: number
      branches: number
      waits_for_you: boolean
      cost_usd: string
    }>(sql`
      select p.id,
        (select c.state from containers c where c.project_id = p.id) as sandbox_state,
        (select count(*)::int from agents a where a.project_id = p.id and a.state = 'working') as agents_at_work,
        (select count(*)::int from git_branches b
          where b.project_id = p.id and b.status = 'active' and b.name <> p.default_branch) as branches,
        exists (select from plans d where d.project_id = p.id and d.state = 'in_review')
          or exists (select from tasks t where t.project_id = p.id and t.state = 'needs_you') as waits_for_you,
        (select round(coalesce(sum(u.cost_usd), 0), 6)::text from cost_tracking u where u.project_id = p.id) as cost_usd
      from projects p where p.id in ${projectIds}`),
  )
  return new Map(
    rows.map((row) => [
      row.id,
      {
        sandboxState: row.sandbox_state ?? 'none',
        agentsAtWork: row.agents_at_work,
        branches: row.branches,
        waitsForYou: row.waits_for_you,
        costUsd: row.cost_usd,
      },
    ]),
  )
}

/** Where main stands as the log has told it; null while the project is being made. The caller has asked. */
export async function readMainHead(db: Database, projectId: ProjectId): Promise<Sha | null> {
  const { rows } = await db.system((tx) =>
    tx.execute<{ head_sha: Sha }>(sql`
      select b.head_sha from git_branches b join projects p on p.id = b.project_id and p.default_branch = b.name
      where b.project_id = ${projectId}`),
  )
  return rows[0]?.head_sha ?? null
}
