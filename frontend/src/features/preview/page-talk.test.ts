import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createPageTalk } from './page-talk.ts'
import { pathFrom } from './place.ts'

const origin = 'http://label--main.preview.localhost:4400'
let sent: [unknown, string][] = []
let heard: string[] = []
let talk: ReturnType<typeof createPageTalk>
const page = { postMessage: (message: unknown, to: string) => sent.push([message, to]) } as unknown as Window

beforeEach(() => {
  vi.useFakeTimers()
  sent = []
  heard = []
  talk = createPageTalk({
    frame: { contentWindow: page } as HTMLIFrameElement,
    origin,
    onAt: ({ path }) => heard.push(path),
    onSilent: () => heard.push('silent'),
  })
})
afterEach(() => {
  talk.close()
  vi.useRealTimers()
})

const say = (data: unknown, from: { origin?: string; source?: unknown } = {}) => {
  const event = new MessageEvent('message', { data, origin: from.origin ?? origin })
  Object.defineProperty(event, 'source', { value: 'source' in from ? from.source : page })
  window.dispatchEvent(event)
}
const at = { guildhall: 'page.at', path: '/basket', canGoBack: false, canGoForward: false }

test('only the page in the frame, at the preview’s own origin and in our words, is heard', () => {
  say(at, { origin: 'http://other--main.preview.localhost:4400' })
  say(at, { source: window })
  say(at, { source: null })
  for (const wrong of [null, 'page.at', { ...at, path: 'javascript:1' }, { ...at, extra: 1 }, { guildhall: 'page.at' }])
    say(wrong)
  expect(heard).toEqual([])
  say(at)
  expect(heard).toEqual(['/basket'])
})

test('what is asked goes to the preview’s origin alone; no answer is told after a moment', () => {
  talk.loaded()
  expect(sent).toEqual([[{ guildhall: 'page.where' }, origin]])
  say(at)
  vi.advanceTimersByTime(1_000)
  expect(heard).toEqual(['/basket'])
  talk.loaded()
  vi.advanceTimersByTime(1_000)
  expect(heard).toEqual(['/basket', 'silent'])
})

test('what is typed becomes a path of the preview, or nothing', () => {
  const cases: [typed: string, path: string | null][] = [
    ['/basket?tab=2#top', '/basket?tab=2#top'],
    ['basket', '/basket'],
    [' a b ', '/a%20b'],
    ['', '/'],
    [`${origin}/shop`, '/shop'],
    ['https://elsewhere.example/', null],
    ['//elsewhere.example', null],
    ['/\\elsewhere.example', null],
    ['javascript:alert(1)', null],
  ]
  for (const [typed, path] of cases) expect(pathFrom(typed, origin), typed).toBe(path)
})
