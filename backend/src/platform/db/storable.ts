/**
 * A value as PostgreSQL's jsonb takes it: U+0000 becomes the visible mark U+2400 and half a surrogate pair U+FFFD.
 * Models and commands send both. Written-out escapes in a text (a backslash before) stay as they are.
 */
export function storable(value: unknown): unknown {
  const json = JSON.stringify(value ?? null)
  if (!/\\u(?:0000|d[89a-f])/i.test(json)) return value ?? null
  return JSON.parse(
    json.replaceAll(/\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/gi, (escape) => {
      if (escape === '\\\\') return escape
      return escape.toLowerCase() === '\\u0000' ? '\u2400' : '\ufffd'
    }),
  )
}

/** The same for a bare text column. */
export const storableText = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed()
