import { page } from '@guildhall/protocol/paging.ts'
import {
  AllowedHost,
  AllowedHostAnswer,
  ContainerLogs,
  type Sandbox,
  type SandboxDisk,
  Terminal,
} from '@guildhall/protocol/sandbox.ts'
import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { plural, shareOf } from '../../lib/format.ts'
import { request } from '../../lib/request.ts'

export const sandboxKeys = { hosts: (projectId: string) => ['projects', projectId, 'hosts'] as const }

const egress = (projectId: string) => `/api/projects/${projectId}/egress`

export const allowedHosts = (projectId: string) =>
  queryOptions({
    queryKey: sandboxKeys.hosts(projectId),
    queryFn: async ({ signal }) => (await request(page(AllowedHost), egress(projectId), { signal })).items,
  })

export const allowHost = (projectId: string, target: string) =>
  request(AllowedHostAnswer, `${egress(projectId)}/${encodeURIComponent(target)}`, { method: 'PUT' })

export const withdrawHost = (projectId: string, target: string) =>
  request(z.unknown(), `${egress(projectId)}/${encodeURIComponent(target)}`, { method: 'DELETE' })

export const orderSandbox = (projectId: string, verb: 'start' | 'stop' | 'restart') =>
  request(z.unknown(), `/api/projects/${projectId}/container/${verb}`, { method: 'POST' })

export const sandboxWord: Record<Sandbox['state'], string> = {
  none: 'no sandbox',
  creating: 'sandbox being made',
  running: 'sandbox running',
  sleeping: 'sandbox asleep',
  stopping: 'sandbox stopping',
  stopped: 'sandbox stopped',
  unhealthy: 'sandbox unwell',
  error: 'sandbox failed',
}

/** Said on every screen: whether what runs in there is fenced in, and how many doors the fence has. */
export function isolationNote({ isolated, driver }: Sandbox, hosts: number): string {
  if (!isolated) return 'not isolated: plain processes on this machine'
  return `isolated by ${driver}, ${hosts === 0 ? 'no network' : `no network but ${plural(hosts, 'allowed host')}`}`
}

/** Nothing while there is room. */
export function diskNote({ state, usedBytes, limitBytes }: SandboxDisk): { text: string; isFull: boolean } | null {
  const share = shareOf(usedBytes, limitBytes)
  if (state === 'near') return { text: `disk ${share}`, isFull: false }
  if (state === 'full') return { text: `disk full: ${share}`, isFull: true }
  if (state === 'host_full') return { text: 'the machine’s disk is full', isFull: true }
  return null
}

/** Shells that run in the sandbox, whoever opened them. */
export const terminalList = (projectId: string) =>
  queryOptions({
    queryKey: ['projects', projectId, 'terminals'],
    queryFn: async ({ signal }) =>
      (await request(page(Terminal), `/api/projects/${projectId}/terminals`, { signal })).items,
    staleTime: 0,
  })

/** The end of what the container itself wrote: its init and the supervisor, not the commands inside. */
export const containerLogs = (projectId: string) =>
  queryOptions({
    queryKey: ['projects', projectId, 'container', 'logs'],
    queryFn: ({ signal }) =>
      request(ContainerLogs, `/api/projects/${projectId}/container/logs`, { query: { tail: 200 }, signal }),
    staleTime: 0,
  })
