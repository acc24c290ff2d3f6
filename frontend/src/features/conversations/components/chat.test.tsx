import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ReferencesProvider } from '../../../components/references.tsx'
import { TooltipProvider } from '../../../components/ui/tooltip.tsx'
import { agent, id, logOf, message } from '../../../testing/log.ts'
import { emptyLog, extendLog, logKey } from '../../realtime/api.ts'
import { useUnsent } from '../api.ts'
import { ChatComposer } from './chat-composer.tsx'
import { ChatPane } from './chat-pane.tsx'

const projectId = '00000000-0000-7000-8000-000000000001'
let sent: unknown[] = []
const realFetch = globalThis.fetch
beforeEach(() => {
  sent = []
  useUnsent.setState({}, true)
  globalThis.fetch = (async (path: string, init: RequestInit) => {
    if (path === '/api/models') return new Response(JSON.stringify({ items: [], defaultModel: null }))
    sent.push(JSON.parse(String(init.body)))
    return new Response(JSON.stringify({ messageId: id(1), conversationId: id(2), runId: id(3) }))
  }) as typeof fetch
})
afterEach(() => {
  globalThis.fetch = realFetch
})

const composer = <ChatComposer projectId={projectId} wantedModel={null} isWorking={false} blocked={null} />

function page(texts: string[], { sender = {}, opened = [] as string[] } = {}) {
  const client = new QueryClient()
  const events = logOf(
    texts.map((content, index) => [
      index,
      { type: 'message.sent', data: { message: message({ id: id(1_000 + index), content, ...sender }) } },
    ]),
  )
  client.setQueryData(logKey(projectId), extendLog(emptyLog, events))
  return render(
    <QueryClientProvider client={client}>
      <TooltipProvider>
        <ReferencesProvider value={(text) => (text.startsWith('src/') ? () => opened.push(text) : null)}>
          <ChatPane
            projectId={projectId}
            plan={() => null}
            refusal={() => null}
            taskName={() => null}
            atWork={[{ runId: id(9), role: 'dev_manager', task: null, activity: 'Thinking' }]}
            composer={composer}
            onOpenTask={() => undefined}
            onEvidence={() => undefined}
          />
        </ReferencesProvider>
      </TooltipProvider>
    </QueryClientProvider>,
  )
}

test('of a long history the newest are drawn, and the earlier ones when asked for', async () => {
  const user = userEvent.setup()
  page(Array.from({ length: 300 }, (_, index) => `wish ${index}.`))
  expect(screen.queryByText(/^wish 179\.$/)).toBeNull()
  expect(screen.getByText(/^wish 299\.$/)).toBeTruthy()
  await user.click(screen.getByRole('button', { name: '180 earlier entries' }))
  expect(screen.getByText(/^wish 60\.$/)).toBeTruthy()
  await user.click(screen.getByRole('button', { name: '60 earlier entries' }))
  expect(screen.getByText(/^wish 0\.$/)).toBeTruthy()
  expect(screen.queryByRole('button', { name: /earlier/ })).toBeNull()
})

test('a file that an agent names opens; any other code is only text; who is at work is said', async () => {
  const user = userEvent.setup()
  const opened: string[] = []
  page(['It stands in `src/a.ts:3`, see `npm test`.'], { sender: { sender: agent('engineer'), runId: id(5) }, opened })
  await user.click(await screen.findByRole('button', { name: 'src/a.ts:3' }, { timeout: 15_000 }))
  expect(opened).toEqual(['src/a.ts:3'])
  expect(screen.queryByRole('button', { name: 'npm test' })).toBeNull()
  expect(screen.getByText('Thinking…')).toBeTruthy()
})

test('naming a role by keyboard writes it out, and Enter sends only once nothing is left to choose', async () => {
  const user = userEvent.setup()
  page([])
  const field = screen.getByRole<HTMLTextAreaElement>('textbox', { name: 'Message to the crew' })
  await user.type(field, 'Ask @')
  expect(screen.getAllByRole('option')).toHaveLength(5)
  await user.keyboard('{ArrowDown}{ArrowDown}{Enter}')
  expect(field.value).toBe('Ask @engineer ')
  expect(screen.queryByRole('listbox')).toBeNull()
  await user.type(field, 'for @ar{Escape}')
  expect(screen.queryByRole('listbox')).toBeNull()
  await user.keyboard('{Enter}')
  expect(sent).toEqual([{ content: 'Ask @engineer for @ar' }])
})
