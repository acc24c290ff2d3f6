import { type PreviewPageAsk, PreviewPageAt } from '@guildhall/protocol/preview.ts'

/** A page that was asked answers within a frame or two; one that has not by then has none of our lines in it. */
const silentAfterMs = 400

interface TalkOptions {
  frame: HTMLIFrameElement
  /** The preview's own origin: nothing is sent to another, nothing is heard from another. */
  origin: string
  onAt(at: PreviewPageAt): void
  /** The page that was loaded does not say where it is: no HTML, or not the app's. */
  onSilent(): void
}

/** Speaks with the page in the frame. The proxy puts a few lines into each page that answer this. */
export function createPageTalk({ frame, origin, onAt, onSilent }: TalkOptions) {
  let silence: ReturnType<typeof setTimeout> | undefined
  const ask = (what: PreviewPageAsk['guildhall']) =>
    frame.contentWindow?.postMessage({ guildhall: what } satisfies PreviewPageAsk, origin)
  const onMessage = (event: MessageEvent<unknown>) => {
    if (event.source !== frame.contentWindow || event.origin !== origin) return
    // An app sends messages of its own to its parent; only what has our shape is ours.
    const at = PreviewPageAt.safeParse(event.data)
    if (!at.success) return
    clearTimeout(silence)
    onAt(at.data)
  }
  window.addEventListener('message', onMessage)
  return {
    ask,
    /** A document has loaded: asks where it is. */
    loaded() {
      clearTimeout(silence)
      silence = setTimeout(onSilent, silentAfterMs)
      ask('page.where')
    },
    close() {
      clearTimeout(silence)
      window.removeEventListener('message', onMessage)
    },
  }
}
export type PageTalk = ReturnType<typeof createPageTalk>
