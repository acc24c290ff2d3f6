import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at, id } from '../../../testing/log.ts'
import { type Refusal, RefusalLine } from './refusal-line.tsx'

const target = 'api.example.com:443'
const refusal: Refusal = { at: at(0), target, reason: 'not on the list', allow: target, isAllowed: false }

let calls: string[] = []
let answer: () => Response
const realFetch = globalThis.fetch
beforeEach(() => {
  calls = []
  const host = { target, allowedBy: null, allowedAt: at(1), sentBytes: 0, receivedBytes: 0, lastUsedAt: null }
  answer = () => new Response(JSON.stringify({ host }))
  globalThis.fetch = (async (path: string, { method }: RequestInit) => {
    calls.push(`${method} ${path}`)
    return answer()
  }) as typeof fetch
})
afterEach(() => {
  globalThis.fetch = realFetch
})

const show = (change: Partial<Refusal> = {}, canManage = true) =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RefusalLine
        projectId={id(1)}
        refusal={{ ...refusal, ...change }}
        canManage={canManage}
        onHosts={() => undefined}
      />
    </QueryClientProvider>,
  )

test('an owner allows the host with one click', async () => {
  show()
  await userEvent.click(screen.getByRole('button', { name: `Allow ${target}` }))
  expect(calls).toEqual([`PUT /api/projects/${id(1)}/egress/api.example.com%3A443`])
})

test('the others are told who can', () => {
  show({}, false)
  expect(screen.queryByRole('button')).toBeNull()
  expect(screen.getByText(/An owner of this project can allow it/)).toBeTruthy()
})

test('what cannot be allowed says why, and has no button', () => {
  show({ target: '10.0.0.1:80', allow: null, reason: 'Only a host name with a port can be allowed, no address' })
  expect(screen.queryByRole('button')).toBeNull()
  expect(screen.getByText(/10\.0\.0\.1:80/).parentElement!.textContent).toContain('no address')
})

test('a click that fails says so and can be tried again', async () => {
  answer = () =>
    new Response(JSON.stringify({ type: 'x', title: 'Conflict', status: 409, code: 'conflict', detail: 'Too many' }), {
      status: 409,
    })
  show()
  await userEvent.click(screen.getByRole('button', { name: `Allow ${target}` }))
  expect((await screen.findByRole('alert')).textContent).toBe('Too many')
  expect(screen.getByRole('button', { name: `Allow ${target}` })).toHaveProperty('disabled', false)
})
