import type { Event } from '@guildhall/protocol/events.ts'
import {
  type CheckRun,
  type Plan,
  type Review,
  type Task,
  TaskDetail,
  type TaskState,
} from '@guildhall/protocol/tasks.ts'
import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { type Fold, reading } from '../../lib/fold.ts'
import { request } from '../../lib/request.ts'

export const taskKeys = {
  detail: (taskId: string) => ['tasks', taskId] as const,
}

/** With the document as markdown; everything else of a task is read from the log. */
export const taskDetail = (taskId: string) =>
  queryOptions({
    queryKey: taskKeys.detail(taskId),
    queryFn: ({ signal }) => request(TaskDetail, `/api/tasks/${taskId}`, { signal }),
  })

/** The answers of these orders are not read: what they change comes back as an event. */
export const approvePlan = ({ id, version }: Pick<Plan, 'id' | 'version'>) =>
  request(z.unknown(), `/api/plans/${id}/approve`, { method: 'POST', body: { version } })

export const requestPlanChanges = ({ id, version }: Pick<Plan, 'id' | 'version'>, comment: string) =>
  request(z.unknown(), `/api/plans/${id}/request-changes`, { method: 'POST', body: { version, comment } })

export const approveTask = (taskId: string) => request(z.unknown(), `/api/tasks/${taskId}/approve`, { method: 'POST' })

export const cancelTask = (taskId: string, reason: string) =>
  request(z.unknown(), `/api/tasks/${taskId}/cancel`, { method: 'POST', body: { reason } })

export const requestTaskChanges = (taskId: string, comment: string) =>
  request(z.unknown(), `/api/tasks/${taskId}/request-changes`, { method: 'POST', body: { comment } })

export const replaceCriteria = (taskId: string, criteria: string[]) =>
  request(z.unknown(), `/api/tasks/${taskId}/replace`, { method: 'POST', body: { criteria } })

export const retryTask = (taskId: string) => request(z.unknown(), `/api/tasks/${taskId}/retry`, { method: 'POST' })

/** A check run, and the number of the event that announced it: its evidence. */
export interface CheckedAt {
  seq: number
  checkRun: CheckRun
}

/** The work as the log tells it: newest plan and task of each id, with what was checked and said about each task. */
export interface Work {
  plans: Readonly<Record<string, Plan>>
  tasks: Readonly<Record<string, Task>>
  checks: Readonly<Record<string, readonly CheckedAt[]>>
  reviews: Readonly<Record<string, readonly Review[]>>
}

const withTask = (work: Work, task: Task): Work => ({ ...work, tasks: { ...work.tasks, [task.id]: task } })
const grown = <T>(lists: Readonly<Record<string, readonly T[]>>, key: string, item: T) => ({
  ...lists,
  [key]: [...(lists[key] ?? []), item],
})

export const workFold: Fold<Work, Event> = {
  initial: { plans: {}, tasks: {}, checks: {}, reviews: {} },
  step(work, event) {
    switch (event.type) {
      case 'plan.submitted':
      case 'plan.approved':
      case 'plan.returned': {
        const { plan } = event.data
        const tasks = Object.fromEntries(plan.tasks.map((task) => [task.id, task]))
        return { ...work, plans: { ...work.plans, [plan.id]: plan }, tasks: { ...work.tasks, ...tasks } }
      }
      case 'task.checked': {
        const { task, checkRun } = event.data
        return { ...withTask(work, task), checks: grown(work.checks, task.id, { seq: event.seq, checkRun }) }
      }
      case 'task.reviewed': {
        const { task, review } = event.data
        return { ...withTask(work, task), reviews: grown(work.reviews, task.id, review) }
      }
      case 'task.started':
      case 'task.ticked':
      case 'task.finished':
      case 'task.amended':
      case 'task.returned':
      case 'task.queued':
      case 'task.merged':
      case 'task.failed':
      case 'task.stopped':
      case 'task.held':
      case 'task.cancelled':
        return withTask(work, event.data.task)
      default:
        return work
    }
  },
}

export const readWork = reading(workFold)

/** The field's own words for a state; `checking` and `merging` say which gate the work stands at. */
export const stateWord: Record<TaskState, string> = {
  waiting: 'waiting',
  working: 'working',
  checking: 'in checks',
  reviewing: 'in review',
  merging: 'merging',
  merged: 'merged',
  failed: 'failed',
  needs_you: 'needs you',
  cancelled: 'cancelled',
}

export const isOpen = ({ state }: Task): boolean => !['merged', 'failed', 'cancelled'].includes(state)
