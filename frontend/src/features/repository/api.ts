import { page } from '@guildhall/protocol/paging.ts'
import { Branch, Diff, FileAtRef, TreeEntry } from '@guildhall/protocol/repository.ts'
import { queryOptions } from '@tanstack/react-query'
import { request } from '../../lib/request.ts'

export const repositoryKeys = {
  all: (projectId: string) => ['projects', projectId, 'git'] as const,
}

const url = (projectId: string, what: string) => `/api/projects/${projectId}/git/${what}`

export const branchList = (projectId: string) =>
  queryOptions({
    queryKey: [...repositoryKeys.all(projectId), 'branches'],
    queryFn: async ({ signal }) => (await request(page(Branch), url(projectId, 'branches'), { signal })).items,
  })

export const tree = (projectId: string, ref: string) =>
  queryOptions({
    queryKey: [...repositoryKeys.all(projectId), 'tree', ref],
    queryFn: async ({ signal }) =>
      (await request(page(TreeEntry), url(projectId, 'tree'), { query: { ref }, signal })).items,
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
