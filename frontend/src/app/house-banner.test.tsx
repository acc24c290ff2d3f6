import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import { afterEach, expect, test } from 'vitest'
import { HouseBanner } from './house-banner.tsx'

const realFetch = globalThis.fetch
afterEach(() => {
  globalThis.fetch = realFetch
})

async function said(parts: [name: string, status: string, detail?: string][], httpStatus = 200, without?: string[]) {
  const body = { status: 'ok', parts: parts.map(([name, status, detail = '']) => ({ name, status, detail })) }
  globalThis.fetch = async () => new Response(JSON.stringify(body), { status: httpStatus })
  const client = new QueryClient()
  const { container, unmount } = render(
    <QueryClientProvider client={client}>
      <HouseBanner {...(without && { without })} />
    </QueryClientProvider>,
  )
  await expect.poll(() => client.getQueryState(['readiness'])?.status).toBe('success')
  await new Promise((drawn) => setTimeout(drawn))
  const text = container.textContent
  expect(screen.queryAllByRole('button')).toHaveLength(text ? 1 : 0)
  unmount()
  return text
}

test('nothing is said of an installation that lacks nothing', async () => {
  expect(
    await said([
      ['PostgreSQL', 'ok'],
      ['Redis', 'off'],
      ['container engine', 'ok'],
      ['sandbox walls', 'off'],
      ['models', 'ok'],
    ]),
  ).toBe('')
})

test('a missing engine and model are said, each with what to do; a red answer is read like a green one', async () => {
  const both = await said(
    [
      ['container engine', 'off', 'no socket at the usual places'],
      ['models', 'off'],
    ],
    503,
  )
  expect(both).toContain('There is no container engine. No socket at the usual places.')
  expect(both).toContain('Set ANTHROPIC_API_KEY')
  const walls = await said([['sandbox walls', 'failing', 'the network is open']], 503)
  expect(walls).toContain('The network is open.')
})

test('a page that says something in its own place leaves it out here', async () => {
  expect(await said([['models', 'off']], 200, ['models'])).toBe('')
})
