export type TokenKind = 'plain' | 'comment' | 'string' | 'number' | 'keyword' | 'type' | 'call' | 'tag'
export interface Token {
  kind: TokenKind
  text: string
}

const words = (list: string) => new Set(list.split(' '))
const script = words(
  'import export from const let var function return if else for while do switch case break continue new class extends implements interface type enum async await try catch finally throw typeof instanceof in of as satisfies default yield this super null undefined true false void delete static readonly public private',
)
const python = words(
  'import from def return if elif else for while break continue class try except finally raise with as lambda yield async await pass global nonlocal in is and or not None True False del assert match case',
)
const shell = words('if then else elif fi for in do done while case esac function return export local set echo exit')
const sql = words(
  'select from where insert into values update set delete create table alter drop index primary key references not null default unique and or join left right on as order by group having limit begin commit rollback',
)

interface Language {
  keywords: Set<string>
  comment: RegExp
  markup?: boolean
  ignoreCase?: boolean
}
const slashes = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const hash = /#[^\n]*/y
const languages: Record<string, Language> = {
  script: { keywords: script, comment: slashes },
  jsx: { keywords: script, comment: slashes, markup: true },
  python: { keywords: python, comment: hash },
  shell: { keywords: shell, comment: hash },
  sql: { keywords: sql, comment: /--[^\n]*/y, ignoreCase: true },
  css: { keywords: words('important'), comment: /\/\*[\s\S]*?\*\//y },
  html: { keywords: new Set(), comment: /<!--[\s\S]*?-->/y, markup: true },
  json: { keywords: words('true false null'), comment: /(?!)/y },
}
// prettier-ignore
const byExtension: Record<string, string> = {
  ts: 'script', mts: 'script', cts: 'script', js: 'script', mjs: 'script', cjs: 'script', tsx: 'jsx', jsx: 'jsx',
  py: 'python', sh: 'shell', yml: 'shell', yaml: 'shell', toml: 'shell', dockerfile: 'shell', sql: 'sql',
  css: 'css', html: 'html', svg: 'html', xml: 'html', json: 'json',
}

const string = /"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`(?:\\.|[^`\\])*`?/y
const number = /\b\d[\d_.]*(?:e[+-]?\d+)?\b/iy
const word = /[A-Za-z_$][\w$-]*/y
const tag = /<\/?[A-Za-z][\w.:-]*|\/?>/y

function kindOfWord(text: string, after: string, { keywords, ignoreCase }: Language): TokenKind {
  if (keywords.has(ignoreCase ? text.toLowerCase() : text)) return 'keyword'
  if (/^\s*\(/.test(after)) return 'call'
  return /^[A-Z]/.test(text) ? 'type' : 'plain'
}

/**
 * Splits source into coloured pieces: enough to read by, not a parser. A file of an unknown kind, or one past 200 kB,
 * comes back plain.
 */
export function tokens(source: string, path: string): Token[] {
  const extension = path.split('/').at(-1)!.toLowerCase().split('.').at(-1)!
  const language = languages[byExtension[extension] ?? '']
  if (!language || source.length > 200_000) return [{ kind: 'plain', text: source }]
  const found: Token[] = []
  const push = (kind: TokenKind, text: string) => {
    const last = found.at(-1)
    if (last?.kind === kind) last.text += text
    else found.push({ kind, text })
  }
  const rules: [TokenKind | 'word', RegExp][] = [
    ['comment', language.comment],
    ...(language.markup ? [['tag', tag] as [TokenKind, RegExp]] : []),
    ['string', string],
    ['number', number],
    ['word', word],
  ]
  let at = 0
  next: while (at < source.length) {
    for (const [kind, pattern] of rules) {
      pattern.lastIndex = at
      const text = pattern.exec(source)?.[0]
      if (!text) continue
      at += text.length
      push(kind === 'word' ? kindOfWord(text, source.slice(at, at + 8), language) : kind, text)
      continue next
    }
    push('plain', source[at]!)
    at += 1
  }
  return found
}

/** The same pieces, cut at line ends. */
export function tokenLines(source: string, path: string): Token[][] {
  const lines: Token[][] = [[]]
  for (const { kind, text } of tokens(source, path)) {
    const [first, ...rest] = text.split('\n')
    if (first) lines.at(-1)!.push({ kind, text: first })
    for (const line of rest) lines.push(line ? [{ kind, text: line }] : [])
  }
  return lines
}
