import type { Actor } from '@guildhall/protocol/actor.ts'
import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { ChatAccepted, SendChat } from '@guildhall/protocol/chat.ts'
import type { ConversationId, ProjectId, RunId, TaskId, UserId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { Database, Db } from '../../platform/db/database.ts'
import { forbidden, notFound } from '../../platform/errors.ts'
import type { ConversationService } from '../conversations/service.ts'
import type { LlmService } from '../llm/service.ts'
import type { Authorize } from '../projects/service.ts'
import type { TaskService } from '../tasks/service.ts'
import type { UsageService } from '../usage/service.ts'

/** What the door needs of `agents`, which starts runs and stops them. */
export interface ChatRuns {
  /** Starts the manager on what was said; a plan run that is already at work in the conversation reads on instead. */
  start(
    tx: Db,
    run: {
      projectId: ProjectId
      conversationId: ConversationId
      taskId: TaskId | null
      role: Role
      purpose: RunPurpose
      userId: UserId
    },
  ): Promise<RunId>
  /** Asks every run of the conversation to stop; answers how many there were. */
  cancelConversation(actor: Actor, conversationId: ConversationId): Promise<number>
}

export function createChatService({
  db,
  authorize,
  conversations,
  llm,
  usage,
  tasks,
  runs,
  nameOf,
}: {
  db: Database
  authorize: Authorize
  conversations: ConversationService
  llm: Pick<LlmService, 'resolve'>
  usage: Pick<UsageService, 'assertRoom'>
  tasks: Pick<TaskService, 'stopConversation'>
  runs: ChatRuns
  /** The name a person's bubble carries. */
  nameOf(userId: UserId): Promise<string>
}) {
  async function conversationOf(actor: Actor, projectId: ProjectId, wanted: ConversationId | undefined) {
    const conversation = wanted ? await conversations.get(actor, wanted) : await conversations.main(projectId)
    if (conversation.projectId !== projectId) throw notFound('Conversation')
    return conversation.id
  }

  return {
    /**
     * Stores what the person said and starts the manager, in one transaction, and answers at once with the ids.
     * Throws `no_model` or `over_budget` (with what to do) before anything is stored, `forbidden` for viewers,
     * `not_found`.
     */
    async send(actor: Actor, projectId: ProjectId, input: SendChat): Promise<ChatAccepted> {
      await authorize(actor, 'project.work', { projectId })
      if (actor.kind !== 'user') throw forbidden('Only people write here')
      llm.resolve(null)
      const conversationId = await conversationOf(actor, projectId, input.conversationId)
      const name = await nameOf(actor.userId)
      return db.as(actor, async (tx) => {
        await usage.assertRoom(tx, projectId)
        const message = await conversations.post(tx, {
          actor,
          conversationId,
          projectId,
          sender: { kind: 'user', userId: actor.userId, name },
          kind: 'chat',
          content: input.content,
        })
        const runId = await runs.start(tx, {
          projectId,
          conversationId,
          taskId: null,
          role: 'dev_manager',
          purpose: 'plan',
          userId: actor.userId,
        })
        return { messageId: message.id, conversationId, runId }
      })
    },

    /** Stops the work of the project's conversation: its runs, and what would start another. Throws `forbidden` for viewers, `not_found`. */
    async stop(
      actor: Actor,
      projectId: ProjectId,
      input: { conversationId?: ConversationId } = {},
    ): Promise<{ stoppedRuns: number }> {
      await authorize(actor, 'project.work', { projectId })
      const conversationId = await conversationOf(actor, projectId, input.conversationId)
      await tasks.stopConversation(conversationId)
      return { stoppedRuns: await runs.cancelConversation(actor, conversationId) }
    },
  }
}
export type ChatService = ReturnType<typeof createChatService>
