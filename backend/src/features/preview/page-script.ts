import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'

/**
 * A few lines put before the first script of a page that the workbench shows in its frame. They say where the page is
 * and take "back", "forward" and "reload", which the workbench cannot do to a frame of another origin. They answer
 * nobody but the window around the page, and only while it is one of the workbench's own origins.
 */
export interface PageScript {
  tag: string
  /** As a source of a content security policy. */
  hash: string
}

const source = (ancestors: string[]) => `(() => {
document.currentScript.remove()
const workbench = ${JSON.stringify(ancestors).replaceAll('<', '\\u003c')}
const { navigation, parent } = window
let to
const tell = () => {
  if (to) parent.postMessage({
    guildhall: 'page.at',
    path: location.pathname + location.search + location.hash,
    canGoBack: Boolean(navigation && navigation.canGoBack),
    canGoForward: Boolean(navigation && navigation.canGoForward),
  }, to)
}
const orders = {
  'page.where': tell,
  'page.back': () => navigation && navigation.canGoBack && navigation.back(),
  'page.forward': () => navigation && navigation.canGoForward && navigation.forward(),
  'page.reload': () => location.reload(),
}
addEventListener('message', (event) => {
  if (event.source !== parent || parent === window || !workbench.includes(event.origin)) return
  const ask = event.data && event.data.guildhall
  if (typeof ask !== 'string' || !Object.hasOwn(orders, ask)) return
  event.stopImmediatePropagation()
  to = event.origin
  orders[ask]()
})
addEventListener('pageshow', tell)
if (navigation) navigation.addEventListener('currententrychange', tell)
else {
  addEventListener('popstate', tell)
  addEventListener('hashchange', tell)
  for (const name of ['pushState', 'replaceState']) {
    const real = history[name]
    history[name] = function (...given) {
      real.apply(this, given)
      tell()
    }
  }
}
})()`

const made = new Map<string, PageScript>()

export function pageScript(ancestors: string[]): PageScript {
  const key = ancestors.join(' ')
  const known = made.get(key)
  if (known) return known
  const text = source(ancestors)
  const script = {
    tag: `<script>${text}</script>`,
    hash: `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
  }
  made.set(key, script)
  return script
}

/** Only a page that a frame loads: what an app fetches, and what a tab of its own shows, stays byte for byte. */
export const wantsScript = ({ method, headers }: IncomingMessage): boolean =>
  headers['sec-fetch-dest'] === 'iframe' && method !== 'HEAD'

/** An answer that text can be put into: HTML, not compressed, in a charset that writes ASCII as ASCII. */
export function isOpenPage({ statusCode = 200, headers }: IncomingMessage): boolean {
  const type = headers['content-type'] ?? ''
  const isPlain = (headers['content-encoding'] ?? 'identity') === 'identity'
  return (
    /^text\/html\b/i.test(type) &&
    !/utf-?(?:16|32)/i.test(type) &&
    isPlain &&
    statusCode >= 200 &&
    statusCode !== 204 &&
    statusCode !== 304
  )
}

const ruling = ['script-src-elem', 'script-src', 'default-src']

/** The policy with our one script allowed beside the app's own, and nothing else. */
export function lettingThrough(policy: string, hash: string): string {
  const rules = policy.split(';').map((rule) => rule.trim().split(/\s+/))
  const rule = ruling.map((name) => rules.find(([word]) => word?.toLowerCase() === name)).find(Boolean)
  if (!rule) return policy
  const sources = rule.slice(1)
  const isNamed = sources.some((word) => /^'(?:nonce-|sha(?:256|384|512)-|strict-dynamic')/i.test(word))
  // 'unsafe-inline' lets ours in already, and a hash beside it would shut the app's own inline scripts out.
  if (!isNamed && sources.some((word) => word.toLowerCase() === "'unsafe-inline'")) return policy
  rule.splice(1, sources.length, ...sources.filter((word) => word.toLowerCase() !== "'none'"), hash)
  return rules.map((words) => words.join(' ')).join('; ')
}

/** No further than this is looked for a head; the page is a stranger's, and looking must stay cheap. */
const longest = 4 * 1024

/**
 * Where the script goes: into the head, else after the doctype, before the first tag that is neither. Null while that
 * cannot be known yet. Walks from tag to tag, so that no page, however it is written or cut, costs more than its length.
 */
function placeOf(text: string, isWhole: boolean): number | null {
  let place = 0
  for (let at = 0; ;) {
    const open = text.indexOf('<', at)
    const name = open < 0 ? '' : (/^<(!--|!?[a-z]+)/i.exec(text.slice(open, open + 16))?.[1] ?? '').toLowerCase()
    const end = name === '!--' ? '-->' : '>'
    const close = open < 0 ? -1 : text.indexOf(end, open)
    if (close < 0) return isWhole || text.length >= longest ? place : null
    at = close + end.length
    if (name === 'head') return at
    if (name === '!doctype') place = at
    else if (name !== '!--' && name !== 'html') return place
  }
}

/** Passes a page on with the tag put in. What comes before the place is held back, the rest streams. */
export function inserted(tag: string): Transform {
  let held: Buffer | null = Buffer.alloc(0)
  // Latin-1 keeps one character a byte, whatever the charset is.
  const put = (whole: Buffer, isWhole: boolean): Buffer | null => {
    const at = placeOf(whole.toString('latin1'), isWhole)
    return at === null ? null : Buffer.concat([whole.subarray(0, at), Buffer.from(tag), whole.subarray(at)])
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (!held) return done(null, chunk)
      held = Buffer.concat([held, chunk])
      const out = put(held, false)
      if (!out) return done()
      held = null
      done(null, out)
    },
    flush(done) {
      done(null, held && held.length > 0 ? put(held, true) : null)
    },
  })
}
