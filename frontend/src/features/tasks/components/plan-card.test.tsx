import type { Plan } from '@guildhall/protocol/tasks.ts'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at, id, task } from '../../../testing/log.ts'
import { PlanCard } from './plan-card.tsx'

const basket = task({ id: id(50), title: 'A basket that lasts' })
const plan: Plan = {
  id: id(60),
  projectId: id(1),
  conversationId: id(700),
  runId: id(101),
  number: 1,
  summary: 'One small step',
  assumptions: ['A guest is remembered for 30 days'],
  state: 'in_review',
  version: 3,
  tasks: [basket],
  approvedBy: null,
  approvedAt: null,
  createdAt: at(0),
}
const work = { plans: {}, tasks: { [basket.id]: basket }, checks: {}, reviews: {} }

let calls: { path: string; body: unknown }[] = []
let answer: () => Response
const realFetch = globalThis.fetch
beforeEach(() => {
  calls = []
  answer = () => new Response('{}', { status: 200 })
  globalThis.fetch = (async (path: string, init: RequestInit) => {
    calls.push({ path, body: JSON.parse(String(init.body)) })
    return answer()
  }) as typeof fetch
})
afterEach(() => {
  globalThis.fetch = realFetch
})

const show = (shown: Plan, canApprove = true) =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      <PlanCard plan={shown} work={work} userId={id(900)} canApprove={canApprove} onOpenTask={() => undefined} />
    </QueryClientProvider>,
  )

test('says what will be done, by whom, proved by which command, and what was assumed', () => {
  show(plan)
  const card = screen.getByRole('article', { name: 'Plan 1' })
  for (const text of [
    'One small step',
    'A basket that lasts',
    'npm test',
    'Engineer',
    'A guest is remembered for 30 days',
  ]) {
    expect(within(card).getByText(text)).toBeTruthy()
  }
})

test('the yes is for exactly the version that was read, and is sent once', async () => {
  show(plan)
  const button = screen.getByRole<HTMLButtonElement>('button', { name: 'Approve plan' })
  await userEvent.dblClick(button)
  await waitFor(() => expect(button.disabled).toBe(true))
  expect(calls).toEqual([{ path: `/api/plans/${plan.id}/approve`, body: { version: 3 } }])
})

test('a plan that changed meanwhile is not approved by accident', async () => {
  answer = () =>
    new Response(JSON.stringify({ type: 'about:blank', title: 'Stale', status: 409, code: 'stale' }), { status: 409 })
  show(plan)
  await userEvent.click(screen.getByRole('button', { name: 'Approve plan' }))
  expect((await screen.findByRole('alert')).textContent).toContain('has changed since you read it')
})

test('a request for changes carries its comment', async () => {
  show(plan)
  await userEvent.click(screen.getByRole('button', { name: 'Request changes' }))
  await userEvent.type(screen.getByRole('textbox', { name: 'What should change?' }), 'One task less')
  await userEvent.click(screen.getByRole('button', { name: 'Send back' }))
  await waitFor(() =>
    expect(calls).toEqual([
      { path: `/api/plans/${plan.id}/request-changes`, body: { version: 3, comment: 'One task less' } },
    ]),
  )
})

test('an approved plan says by whom and offers nothing more; a viewer is offered nothing at all', () => {
  const { unmount } = show({ ...plan, state: 'approved', approvedBy: id(900), approvedAt: at(60) })
  expect(screen.getByText(/approved by you/)).toBeTruthy()
  expect(screen.queryByRole('button', { name: 'Approve plan' })).toBeNull()
  unmount()
  show(plan, false)
  expect(screen.queryByRole('button', { name: 'Approve plan' })).toBeNull()
})
