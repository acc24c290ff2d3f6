import { ChatAccepted, StopChat } from '@guildhall/protocol/chat.ts'
import { create } from 'zustand'
import { isProblem, request } from '../../lib/request.ts'

/** What is typed and not sent, by project: it outlives a change of pane or a sign-in, so it has a place of its own. */
export const useUnsent = create<Record<string, string>>(() => ({}))

/** Answers null when only the answer was lost: the message stands, and the log brings it. */
export const sendChat = (projectId: string, content: string): Promise<ChatAccepted | null> =>
  request(ChatAccepted, `/api/projects/${projectId}/chat`, { method: 'POST', body: { content }, once: true }).catch(
    (error: unknown) => {
      if (isProblem(error, 'gone')) return null
      throw error
    },
  )

export const stopChat = (projectId: string) =>
  request(StopChat, `/api/projects/${projectId}/chat/stop`, { method: 'POST' })
