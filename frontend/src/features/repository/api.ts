import { Branch, Diff, FileAtRef, TreeEntry } from '@guildhall/protocol/repository.ts'
import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { request } from '../../lib/request.ts'

export const repositoryKeys = {
  all: (projectId: string) => ['projects', projectId, 'git'] as const,
}

/** Lists come bare or as `{items}`; a diff and a file always as themselves. */
const listOf = <Item extends z.ZodType>(item: Item) => z.union([z.array(item), z.object({ items: z.array(item) })])
const items = <Item>(answer: Item[] | { items: Item[] }): Item[] => (Array.isArray(answer) ? answer : answer.items)

const url = (projectId: string, what: string) => `/api/projects/${projectId}/git/${what}`

export const branchList = (projectId: string) =>
  queryOptions({
    queryKey: [...repositoryKeys.all(projectId), 'branches'],
    queryFn: async ({ signal }) => items(await request(listOf(Branch), url(projectId, 'branches'), { signal })),
  })

export const tree = (projectId: string, ref: string) =>
  queryOptions({
    queryKey: [...repositoryKeys.all(projectId), 'tree', ref],
    queryFn: async ({ signal }) =>
      items(await request(listOf(TreeEntry), url(projectId, 'tree'), { query: { ref }, signal })),
  })

export const fileAtRef = (projectId: string, ref: string, path: string) =>
  queryOptions({
    queryKey: [...repositoryKeys.all(projectId), 'file', ref, path],
    queryFn: ({ signal }) => request(FileAtRef, url(projectId, 'file'), { query: { ref, path }, signal }),
  })

/** What `to` changes since it left `from`. */
export const diff = (projectId: string, from: string, to: string) =>
  queryOptions({
    queryKey: [...repositoryKeys.all(projectId), 'diff', from, to],
    queryFn: ({ signal }) => request(Diff, url(projectId, 'diff'), { query: { from, to }, signal }),
  })
