import { Event } from '@guildhall/protocol/events.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { z } from 'zod'
import { create } from 'zustand'
import { request } from '../../lib/request.ts'
import { createSocket, type Delta } from '../../lib/socket.ts'
import { wsTicket } from '../identity/api.ts'

/** The one socket of the page. `app/` starts it and feeds the cache from it; a component does not know it is there. */
export const socket = createSocket({
  url: () => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`,
  ticket: wsTicket,
})

export const useSocketStatus = () => useSyncExternalStore(socket.onStatus, socket.status)

/** Grows with every return after a cut. What lives on connections of its own, such as a preview, begins again with it. */
export const useReturns = (): number => useSyncExternalStore(socket.onStatus, () => Math.max(0, socket.welcomes() - 1))

/** A project's whole log, in order. `unreadable` counts events this page has no words for: it is older than the server. */
export interface ProjectLog {
  events: readonly Event[]
  head: number
  unreadable: number
}
export const emptyLog: ProjectLog = { events: [], head: 0, unreadable: 0 }

export const projectTopic = (projectId: string) => `project:${projectId}`
export const logKey = (projectId: string) => ['projects', projectId, 'log'] as const

const RawPage = z.object({ items: z.array(z.looseObject({ seq: z.int() })), head: z.int() })
const PAGE = 1_000

/** Adds what is new, in order; what was seen already is dropped. Answers the same log when nothing is new. */
export function extendLog(log: ProjectLog, incoming: readonly Event[]): ProjectLog {
  let head = log.head
  const fresh = incoming.filter(({ seq }) => seq > head && ((head = seq), true))
  return fresh.length === 0 ? log : { ...log, head, events: [...log.events, ...fresh] }
}

/** Reads everything after what `log` holds, page by page. */
export async function readLog(projectId: string, log: ProjectLog, signal?: AbortSignal): Promise<ProjectLog> {
  let read = log
  for (;;) {
    const { items, head } = await request(RawPage, `/api/projects/${projectId}/events`, {
      query: { after: read.head, limit: PAGE },
      signal,
    })
    const parsed = items.map((item) => Event.safeParse(item))
    const events = parsed.flatMap((result) => (result.success ? [result.data] : []))
    const last = items.at(-1)?.seq ?? read.head
    read = {
      ...extendLog(read, events),
      head: Math.max(read.head, last),
      unreadable: read.unreadable + parsed.length - events.length,
    }
    if (items.length === 0 || read.head >= head) return read
  }
}

export const projectLog = (projectId: string) =>
  queryOptions({
    queryKey: logKey(projectId),
    queryFn: ({ signal, client }) =>
      readLog(projectId, client.getQueryData<ProjectLog>(logKey(projectId)) ?? emptyLog, signal),
    staleTime: Infinity,
    structuralSharing: false,
  })

/** What a fold (made with `reading`) says about the project's log, live. */
export function useProjectLog<State>(projectId: string, read: (events: readonly Event[]) => State): State | undefined {
  return useQuery({ ...projectLog(projectId), select: ({ events }) => read(events) }).data
}

/** A message that is still being written. */
export interface Draft {
  messageId: string
  runId: string
  role: Role
  text: string
}

/** Joins a delta to what is known of its message. A snapshot repeats the beginning; a hole waits for the message itself. */
export function joinDelta(draft: Draft | undefined, { messageId, runId, role, offset, text }: Delta): Draft {
  const known = draft?.text ?? ''
  if (offset > known.length) return draft ?? { messageId, runId, role, text: '' }
  return { messageId, runId, role, text: known.slice(0, offset) + text }
}

interface Drafts {
  byMessage: Readonly<Record<string, Draft>>
  join(deltas: readonly Delta[]): void
  /** The message is in the log now, or its run ended without it. */
  drop(done: (draft: Draft) => boolean): void
}

/** Arrives faster than the cache should change, so it has a store of its own. */
export const useDrafts = create<Drafts>((set) => ({
  byMessage: {},
  join: (deltas) =>
    set(({ byMessage }) => {
      const next = { ...byMessage }
      for (const delta of deltas) next[delta.messageId] = joinDelta(next[delta.messageId], delta)
      return { byMessage: next }
    }),
  drop: (done) =>
    set((state) => {
      const kept = Object.entries(state.byMessage).filter(([, draft]) => !done(draft))
      return kept.length === Object.keys(state.byMessage).length ? state : { byMessage: Object.fromEntries(kept) }
    }),
}))
