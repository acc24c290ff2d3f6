import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'

/** The few pages that are ours on a preview's origin. They load nothing and know nothing of the platform's own page. */
export interface Notice {
  status: number
  title: string
  text: string
  /** The newest output, shown as it is. */
  tail?: string
  /** Something is on its way. */
  isWaiting?: boolean
  /** The page asks for the preview's state and gives way to the app when it is ready. */
  isWatching?: boolean
}

const escape = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

const style = `
:root{color-scheme:dark light;--bg:#14161a;--card:#191c21;--line:#2b3038;--text:#e9e4da;--soft:#b3b0a8;--accent:#e0a94a;--code:#1f2329}
@media (prefers-color-scheme:light){:root{--bg:#f3efe7;--card:#fbf9f4;--line:#e0d9cb;--text:#211f1b;--soft:#57534a;--accent:#94610c;--code:#ece6da}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--text);font:13.5px/1.55 "Inter Variable",system-ui,sans-serif}
main{width:min(640px,100%);padding:32px;border:1px solid var(--line);border-radius:14px;background:var(--card)}
h1{margin:0 0 8px;font:500 22px/1.25 "Fraunces Variable",Georgia,serif}
p{margin:0;color:var(--soft)}
pre{max-height:46vh;overflow:auto;margin:20px 0 0;padding:12px;border-radius:8px;background:var(--code);font:11.5px/1.5 "JetBrains Mono Variable",ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
pre:empty{display:none}
i{display:inline-block;width:8px;height:8px;margin-right:10px;border-radius:50%;background:var(--accent);animation:pulse 1.2s ease-in-out infinite alternate}
@keyframes pulse{to{opacity:.25}}
@media (prefers-reduced-motion:reduce){i{animation:none}}`

/** Asks for the state and reloads when the app answers; a change of state brings the page that tells it. */
const script = (title: string) => `
const tail=document.querySelector('pre'),shown=${JSON.stringify(title).replaceAll('<', '\\u003c')};
async function ask(){
  try{
    const answer=await fetch('/__guildhall/state',{cache:'no-store'});
    const state=await answer.json();
    if(!answer.ok||state.state==='ready'||state.title!==shown)return location.reload();
    const atEnd=tail.scrollTop+tail.clientHeight>=tail.scrollHeight-8;
    tail.textContent=state.logTail;
    if(atEnd)tail.scrollTop=tail.scrollHeight;
  }catch{}
  setTimeout(ask,700);
}
tail.scrollTop=tail.scrollHeight;setTimeout(ask,500);`

/** Sends one of our pages, or its words alone to a request that did not ask for a page. */
export function sendNotice(
  response: ServerResponse,
  notice: Notice,
  { wantsPage, ancestors }: { wantsPage: boolean; ancestors: string[] },
): void {
  if (response.headersSent) return void response.destroy()
  const { status, title, text, tail = '', isWaiting = false, isWatching = false } = notice
  const nonce = randomBytes(16).toString('base64')
  const rules = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors 'self' ${ancestors.join(' ')}`,
  ]
  const headers: Record<string, string> = {
    'content-security-policy': rules.join('; '),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    connection: 'close',
    ...(isWaiting && { 'retry-after': '1' }),
  }
  if (!wantsPage) {
    response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' }).end(`${title}\n${text}\n`)
    return
  }
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style nonce="${nonce}">${style}</style>
<main><h1>${isWaiting ? '<i></i>' : ''}${escape(title)}</h1><p>${escape(text)}</p><pre>${escape(tail)}</pre></main>
${isWatching ? `<script nonce="${nonce}">${script(title)}</script>` : ''}</html>`
  response.writeHead(status, { ...headers, 'content-type': 'text/html; charset=utf-8' }).end(html)
}
