/** What a JSON schema of the API's document may hold, as far as the generator reads it. */
export interface Schema {
  type?: string
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  minLength?: number
  anyOf?: Schema[]
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
}

/** A sequence that one seed names (mulberry32): the same seed, the same requests. */
export function createDice(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    chance: (share: number) => next() < share,
    pick: <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!,
  }
}
export type Dice = ReturnType<typeof createDice>

const zero = '00000000-0000-0000-0000-000000000000'
const strings = [
  ...['', ' ', '\0', 'a\0b', '\ud800', 'x\udfff', '\u202e\u2066', '🜁'.repeat(50), 'ünï', '\r\n', '\t', '%00', '%ff'],
  ...[
    "'; drop table users; --",
    '../../../../etc/passwd',
    '-rf',
    '--upload-pack=x',
    'HEAD',
    'refs/heads/main',
    'main:x',
  ],
  ...[
    '__proto__',
    'constructor',
    'null',
    'NaN',
    '-1',
    '1e999',
    '9'.repeat(400),
    'true',
    '[]',
    '{}',
    zero,
    'x'.repeat(70_000),
  ],
  ...[
    '2026-01-01T00:00:00.000Z_------------------------------------',
    `1_${zero}`,
    `${'0'.repeat(40)}.9999999`,
    '*',
    '\\',
  ],
]
const numbers = [-1, -0, 0, 1, 1.5, 1e308, -1e308, 2 ** 31, 2 ** 53, 2 ** 63, 1e-320]
const deep = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown
const things: unknown[] = [null, true, [], {}, [null], { a: { b: [1] } }, { toString: 1 }, deep(500), 'x', 7]

export const oddText = (dice: Dice): string => dice.pick(strings)
export const oddValue = (dice: Dice): unknown => dice.pick([oddText(dice), dice.pick(numbers), dice.pick(things)])

/** A value as the schema wants it, with something odd in its place here and there. */
export function valueOf(schema: Schema, dice: Dice, oddness = 0.15): unknown {
  if (dice.chance(oddness)) {
    if (schema.type === 'string') return oddText(dice)
    const isNumber = schema.type === 'integer' || schema.type === 'number'
    return isNumber && dice.chance(0.7) ? dice.pick(numbers) : oddValue(dice)
  }
  const either = schema.anyOf ?? schema.oneOf
  if (either) return valueOf(dice.pick(either), dice, oddness)
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return dice.pick(schema.enum)
  if (schema.format === 'uuid') return zero.replace('0000-0000', '0000-7000').replace('-0000-0000', '-8000-0000')
  if (schema.type === 'object')
    return Object.fromEntries(
      Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
        schema.required?.includes(name) || dice.chance(0.6) ? [[name, valueOf(inner, dice, oddness)]] : [],
      ),
    )
  if (schema.type === 'array') return dice.pick([[], [0], [0, 0]]).map(() => valueOf(schema.items ?? {}, dice, oddness))
  if (schema.type === 'boolean') return dice.chance(0.5)
  if (schema.type === 'integer' || schema.type === 'number') return dice.pick([0, 1, 2, 7, 50])
  if (schema.type === 'null') return null
  return dice.pick(['main', 'a word', 'x'.repeat(schema.minLength ?? 12), 'ada@example.org', 'package.json'])
}

/** Bodies that are no JSON of the asked kind; `type` is sent as the content type. */
export function oddBody(dice: Dice): { payload: string | Buffer; type: string } {
  const json = 'application/json'
  return dice.pick([
    { payload: '{"a":', type: json },
    { payload: '', type: json },
    { payload: 'null', type: json },
    { payload: '"text"', type: json },
    { payload: '[1,2]', type: json },
    { payload: '\0\0', type: json },
    { payload: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), type: json },
    { payload: '['.repeat(200_000), type: json },
    { payload: `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`, type: json },
    { payload: '{"__proto__":{"isAdmin":true}}', type: json },
    { payload: '{"constructor":{"prototype":{"x":1}}}', type: json },
    { payload: 'a=b', type: 'application/x-www-form-urlencoded' },
    { payload: '<a/>', type: 'text/xml' },
    { payload: '{}', type: 'application/json; charset=utf-16' },
    { payload: '--x\r\n\r\n--x--', type: 'multipart/form-data; boundary=x' },
    { payload: '{}', type: 'not a type' },
    { payload: JSON.stringify('x'.repeat(1_100_000)), type: json },
  ])
}
