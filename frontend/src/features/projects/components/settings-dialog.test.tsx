import type { Project } from '@guildhall/protocol/projects.ts'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TooltipProvider } from '../../../components/ui/tooltip.tsx'
import { at, id } from '../../../testing/log.ts'
import { SettingsDialog, type SettingsSection } from './settings-dialog.tsx'

const project: Project = {
  id: id(1),
  ownerId: id(900),
  name: 'Harbour Market',
  slug: 'harbour-market',
  description: 'Fish',
  status: 'active',
  templateSlug: 'react-vite',
  defaultBranch: 'main',
  previewLabel: 'abc',
  config: { model: null, autonomy: 'review_plan', budgetUsd: null },
  provisioning: null,
  version: 3,
  createdAt: at(0),
  updatedAt: at(0),
  lastActivityAt: at(0),
}

let sent: [method: string, body: unknown][] = []
let answer: (body: { version: number }) => Response
const realFetch = globalThis.fetch
beforeEach(() => {
  sent = []
  answer = (body) => new Response(JSON.stringify({ project: { ...project, ...body, version: body.version + 1 } }))
  globalThis.fetch = (async (path: string, init: RequestInit) => {
    if (init.method === 'GET')
      return new Response(
        JSON.stringify({ items: [], nextCursor: null, ...(path === '/api/models' && { defaultModel: null }) }),
      )
    const body = JSON.parse(String(init.body)) as { version: number }
    sent.push([init.method!, body])
    return answer(body)
  }) as typeof fetch
})
afterEach(() => {
  globalThis.fetch = realFetch
})

const shown = (given: Project, { role = 'owner', section = 'general' } = {}) => (
  <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
    <TooltipProvider>
      <SettingsDialog
        project={given}
        role={role as 'owner'}
        section={section as SettingsSection}
        onSection={() => undefined}
        onGone={() => undefined}
      />
    </TooltipProvider>
  </QueryClientProvider>
)
const name = () => screen.getByRole<HTMLInputElement>('textbox', { name: 'Name' })
const save = () => screen.getByRole<HTMLButtonElement>('button', { name: 'Save' })

test('only what changed can be saved, with the version it began from', async () => {
  const user = userEvent.setup()
  render(shown(project))
  expect(save().disabled).toBe(true)
  await user.type(name(), ' Hall')
  await user.click(save())
  await screen.findByText('Saved')
  expect(sent).toEqual([['PATCH', { name: 'Harbour Market Hall', description: 'Fish', version: 3 }]])
})

test('what someone else saved is shown at once, but never over what is being typed, and never overwritten', async () => {
  const user = userEvent.setup()
  const page = render(shown(project))
  page.rerender(shown({ ...project, name: 'Theirs', version: 4 }))
  expect(name().value).toBe('Theirs')

  await user.type(name(), '!')
  page.rerender(shown({ ...project, name: 'Theirs again', version: 5 }))
  expect(name().value).toBe('Theirs!')
  answer = () =>
    new Response(JSON.stringify({ type: 'about:blank', title: 'Someone changed this', status: 409, code: 'stale' }), {
      status: 409,
    })
  await user.click(save())
  await screen.findByText('Someone changed this')
  expect(sent).toMatchObject([['PATCH', { version: 4 }]])
  await user.click(screen.getByRole('button', { name: 'Show the newest' }))
  await waitFor(() => expect(name().value).toBe('Theirs again'))
})

test('each way of asking is explained, and an editor reads what only an owner changes', async () => {
  render(shown(project, { role: 'editor', section: 'crew' }))
  const choices = screen.getAllByRole<HTMLInputElement>('radio')
  expect(choices.map(({ value, checked }) => [value, checked])).toEqual([
    ['review_all', false],
    ['review_plan', true],
    ['auto', false],
  ])
  expect(screen.getByText(/merged without asking/)).toBeTruthy()
  expect(choices.every((choice) => choice.matches(':disabled'))).toBe(true)
  expect(screen.queryByRole('button', { name: 'Save' })).toBeNull()
})

test('a budget is saved as the API takes it, shown as people write it, and taken away by emptying it', async () => {
  const user = userEvent.setup()
  const page = render(shown(project, { section: 'crew' }))
  const budget = () => screen.getByRole<HTMLInputElement>('textbox', { name: 'Budget in US dollars' })
  await user.type(budget(), '12,5')
  await user.click(save())
  await screen.findByText('Saved')
  page.rerender(
    shown({ ...project, version: 9, config: { ...project.config, budgetUsd: '5.000000' } }, { section: 'crew' }),
  )
  expect(budget().value).toBe('5.00')
  await user.clear(budget())
  await user.click(save())
  await waitFor(() => expect(sent).toHaveLength(2))
  expect(sent.map(([, body]) => (body as { config: { budgetUsd: unknown } }).config.budgetUsd)).toEqual([
    '12.500000',
    null,
  ])
})
