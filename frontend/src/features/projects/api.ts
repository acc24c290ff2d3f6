import { page } from '@guildhall/protocol/paging.ts'
import {
  type AddMember,
  Member,
  ProjectAnswer,
  ProjectCard,
  ProjectCreated,
  ProjectDetail,
  type ProjectListQuery,
  type ProjectRole,
  ProjectTemplate,
  type UpdateProject,
} from '@guildhall/protocol/projects.ts'
import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { ProblemError, request } from '../../lib/request.ts'
import { sendChat, useUnsent } from '../conversations/api.ts'

export type ProjectStatusFilter = ProjectListQuery['status']

export const projectKeys = {
  lists: ['projects', 'list'] as const,
  list: (q: string, status: ProjectStatusFilter) => ['projects', 'list', { q, status }] as const,
  detail: (projectId: string) => ['projects', projectId, 'detail'] as const,
  members: (projectId: string) => ['projects', projectId, 'members'] as const,
}

const url = (projectId: string) => `/api/projects/${projectId}`

export const projectList = (q: string, status: ProjectStatusFilter) =>
  queryOptions({
    queryKey: projectKeys.list(q, status),
    queryFn: ({ signal }) =>
      request(page(ProjectCard), '/api/projects', { query: { q: q || undefined, status, limit: 100 }, signal }),
    placeholderData: (before) => before,
    // Another project's crew announces nothing here, so the page looks again while it is seen.
    refetchInterval: 10_000,
  })

export const projectTemplates = () =>
  queryOptions({
    queryKey: ['projects', 'templates'],
    queryFn: async ({ signal }) => (await request(page(ProjectTemplate), '/api/projects/templates', { signal })).items,
    staleTime: Infinity,
  })

export const projectDetail = (projectId: string) =>
  queryOptions({
    queryKey: projectKeys.detail(projectId),
    queryFn: ({ signal }) => request(ProjectDetail, url(projectId), { signal }),
  })

export const memberList = (projectId: string) =>
  queryOptions({
    queryKey: projectKeys.members(projectId),
    queryFn: async ({ signal }) => (await request(page(Member), `${url(projectId)}/members`, { signal })).items,
  })

/** Throws `stale` when `version` is not the newest. */
export const updateProject = (projectId: string, body: UpdateProject) =>
  request(ProjectAnswer, url(projectId), { method: 'PATCH', body })

export const addMember = (projectId: string, body: AddMember) =>
  request(z.unknown(), `${url(projectId)}/members`, { method: 'POST', body })

export const changeMember = (projectId: string, userId: string, role: ProjectRole) =>
  request(z.unknown(), `${url(projectId)}/members/${userId}`, { method: 'PATCH', body: { role } })

export const removeMember = (projectId: string, userId: string) =>
  request(z.unknown(), `${url(projectId)}/members/${userId}`, { method: 'DELETE' })

export const leaveProject = (projectId: string) =>
  request(z.unknown(), `${url(projectId)}/membership`, { method: 'DELETE' })

/** The first words of a wish, cut at a word's end: a name to begin with. */
export function nameFromWish(wish: string): string {
  const [line = ''] = wish.trim().split(/\n|[.!?](?:\s|$)/)
  const plain = line
    .replace(/^(please\s+)?((build|make|create|write|add|develop)\s+)?((me|us)\s+)?((an?|the)\s+)?/i, '')
    .trim()
  const words = (plain || line)
    .split(/\s+/)
    .slice(0, 6)
    .join(' ')
    // A quotation that was cut in two is left out whole, and so are words that lead nowhere.
    .replace(/^((?:[^"“]|["“][^"”]*["”])*?)\s*["“][^"”]*$/, '$1')
    .replace(/(?:[,;:]|\s(?:an?|the|that|which|who|says|saying|with|and|for|of|to|in|on|is))+$/i, '')
    .slice(0, 60)
  return words ? words[0]!.toUpperCase() + words.slice(1) : 'New project'
}

interface Wish {
  wish: string
  templateSlug: string
}

/**
 * Makes the project and hands the wish to the crew as its first message; answers the project's id. When nobody can take
 * the wish (no model is set up), the project stands all the same and the wish waits in its composer.
 */
export async function startProject({ wish, templateSlug }: Wish): Promise<string> {
  const { project } = await request(ProjectCreated, '/api/projects', {
    method: 'POST',
    body: { name: nameFromWish(wish), description: wish.trim().slice(0, 2_000), templateSlug },
    once: true,
  })
  try {
    await sendChat(project.id, wish.trim())
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    useUnsent.setState({ [project.id]: wish.trim() })
  }
  return project.id
}

const order = (verb: 'retry' | 'archive' | 'unarchive') => (projectId: string) =>
  request(ProjectAnswer, `${url(projectId)}/${verb}`, { method: 'POST' })
export const retryProject = order('retry')
export const archiveProject = order('archive')
export const unarchiveProject = order('unarchive')

export const deleteProject = (projectId: string, confirmName: string) =>
  request(z.unknown(), url(projectId), { method: 'DELETE', body: { confirmName } })
