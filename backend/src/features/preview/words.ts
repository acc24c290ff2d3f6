import type { PreviewState } from '@guildhall/protocol/preview.ts'
import { stripVTControlCharacters } from 'node:util'
import type { Notice } from './pages.ts'
import type { PreviewRow } from './store.ts'

export const unknownPreview: Notice = {
  status: 404,
  title: 'No preview here',
  text: 'This address belongs to no preview, or to one that is gone.',
}
export const openFromWorkbench: Notice = {
  status: 401,
  title: 'Open this preview from the workbench',
  text: 'A preview is private to its project. The workbench gives each tab a pass of its own; this one has none, or it ended.',
}
export const linkUsed: Notice = {
  status: 401,
  title: 'This link was used',
  text: 'A link to a preview works once and for half a minute. Open the preview from the workbench again.',
}
export const resting: Notice = {
  status: 503,
  title: 'This project is in the archive',
  text: 'Its sandbox rests. Take the project out of the archive to see the app again.',
}
export const readersOnly: Notice = {
  status: 403,
  title: 'You may look, not change',
  text: 'Your role in this project is viewer: the preview answers you, but takes nothing from you.',
}

type Words = Pick<Notice, 'status' | 'title' | 'text' | 'isWaiting'>
const ofState: Record<PreviewState, Words> = {
  stopped: { status: 503, title: 'The preview is stopped', text: 'Start it from the workbench.' },
  installing: { status: 503, title: 'Installing', text: 'Dependencies are being brought in.', isWaiting: true },
  starting: { status: 503, title: 'Starting', text: 'The app is coming up.', isWaiting: true },
  ready: { status: 502, title: 'The app does not answer', text: 'It runs, but takes no connection.', isWaiting: true },
  crashed: { status: 502, title: 'The app crashed', text: 'This is the end of what it said.' },
  asleep: { status: 503, title: 'Waking up', text: 'The sandbox was asleep; it is on its way.', isWaiting: true },
}

/** What a visitor reads instead of the app. */
export const noticeOf = ({ state, error, logTail }: PreviewRow): Notice => ({
  ...ofState[state],
  ...(state === 'crashed' && error && { text: error }),
  tail: logTail,
  isWatching: true,
})

const tailBytes = 8_000

/** The end of an output as text for a page: no colours, no control characters, whole lines. */
export function tailOf(output: string): string {
  const plain = stripVTControlCharacters(output)
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]/gu, '')
  if (plain.length <= tailBytes) return plain.trim()
  const cut = plain.slice(-tailBytes)
  return cut.slice(cut.indexOf('\n') + 1).trim()
}
