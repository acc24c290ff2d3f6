import { ChatAccepted, StopChat } from '@guildhall/protocol/chat.ts'
import { request } from '../../lib/request.ts'

export const sendChat = (projectId: string, content: string) =>
  request(ChatAccepted, `/api/projects/${projectId}/chat`, { method: 'POST', body: { content } })

export const stopChat = (projectId: string) =>
  request(StopChat, `/api/projects/${projectId}/chat/stop`, { method: 'POST' })
