import type { Event } from '@guildhall/protocol/events.ts'
import { UsageSummary } from '@guildhall/protocol/usage.ts'
import { queryOptions } from '@tanstack/react-query'
import type { Fold } from '../../lib/fold.ts'
import { request } from '../../lib/request.ts'

/** What the project has cost so far, in whole millionths of a dollar, so that sums stay exact. */
export const costFold: Fold<number, Event> = {
  initial: 0,
  step: (micros, event) =>
    event.type === 'usage.recorded' ? micros + Math.round(Number(event.data.costUsd) * 1_000_000) : micros,
}

export const usageSummary = (projectId: string) =>
  queryOptions({
    queryKey: ['projects', projectId, 'usage'],
    queryFn: ({ signal }) => request(UsageSummary, `/api/projects/${projectId}/usage/summary`, { signal }),
  })
