import type { ConversationId, ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { Autonomy } from '@guildhall/protocol/projects.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import type { Log } from '../../platform/log.ts'
import type { Queue } from '../../platform/queue/queue.ts'
import type { ConversationService } from '../conversations/service.ts'
import type { Authorize } from '../projects/service.ts'
import type { RepositoryService } from '../repository/service.ts'
import type { SandboxService } from '../sandbox/service.ts'

export interface RunOrder {
  projectId: ProjectId
  conversationId: ConversationId
  taskId: TaskId | null
  role: Role
  purpose: RunPurpose
  /** Whose rights and money the run uses. */
  userId: UserId
}

/** What tasks need. `startRun` and `cancelRuns` are the crew's, a later feature, so `app/` hands them in. */
export interface TaskDeps {
  db: Database
  authorize: Authorize
  repository: RepositoryService
  sandbox: SandboxService
  conversations: ConversationService
  queue: Queue
  projectFacts: (projectId: ProjectId) => Promise<{ autonomy: Autonomy; setupCommand: string | null }>
  startRun: (tx: Db, order: RunOrder) => Promise<RunId>
  cancelRuns: (taskId: TaskId) => Promise<void>
  log: Log
}
