import { Preview, PreviewTicket } from '@guildhall/protocol/preview.ts'
import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { request } from '../../lib/request.ts'

export const previewKeys = {
  of: (projectId: string, branch: string) => ['projects', projectId, 'preview', branch] as const,
}

const url = (projectId: string) => `/api/projects/${projectId}/preview`

/** The preview itself, bare or wrapped as other answers about one thing are. */
const Answer = z.union([Preview, z.object({ preview: Preview })])
const unwrap = (answer: z.infer<typeof Answer>): Preview => ('preview' in answer ? answer.preview : answer)

export const previewOf = (projectId: string, branch: string) =>
  queryOptions({
    queryKey: previewKeys.of(projectId, branch),
    queryFn: async ({ signal }) => unwrap(await request(Answer, url(projectId), { query: { branch }, signal })),
  })

export const orderPreview = (projectId: string, branch: string, verb: 'start' | 'stop' | 'restart') =>
  request(z.unknown(), `${url(projectId)}/${verb}`, { method: 'POST', body: { branch } })

/** An address that opens the preview once, at `path`. */
export const previewTicket = (projectId: string, branch: string, path: string) =>
  request(PreviewTicket, `${url(projectId)}/ticket`, { method: 'POST', body: { branch, path } })
