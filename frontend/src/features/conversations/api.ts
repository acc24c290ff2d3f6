import { ChatAccepted, StopChat } from '@guildhall/protocol/chat.ts'
import { create } from 'zustand'
import { request } from '../../lib/request.ts'

/** What is typed and not sent, by project: it outlives a change of pane or a sign-in, so it has a place of its own. */
export const useUnsent = create<Record<string, string>>(() => ({}))

export const sendChat = (projectId: string, content: string) =>
  request(ChatAccepted, `/api/projects/${projectId}/chat`, { method: 'POST', body: { content } })

export const stopChat = (projectId: string) =>
  request(StopChat, `/api/projects/${projectId}/chat/stop`, { method: 'POST' })
