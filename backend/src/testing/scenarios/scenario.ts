/**
 * A scenario is the script of a crew: what each role says at each step. It is played by the model server over the
 * provider's own wire format, so everything behind the wire is real: SDK, loop, tools, git, sandbox, preview.
 */

/** A result of an earlier tool call of the same run. `event` is the `[ev N]` it began with. */
export type PlayedTool = { name: string; input: unknown; result: string; isError: boolean; event: number | null }

export type Scene = {
  role: string
  /** The task's key, null for runs without a task. */
  task: string | null
  runId: string
  /** Count of assistant turns in the request. */
  step: number
  /** Which run of this role and task it is, from 1, by run id. */
  round: number
  /** Which try of this very step it is, from 1. */
  attempt: number
  system: string
  /** Everything people (and the platform, in their place) wrote to the model, oldest first; no tool results. */
  said: string[]
  /** Tool calls so far with their results, oldest first. */
  played: PlayedTool[]
  /** Names of the tools offered. */
  tools: string[]
}

export type Fault =
  /** Answers with an HTTP error in the provider's format. */
  | { kind: 'status'; status: number; retryAfterS?: number; message?: string }
  /** Takes the request and never answers. */
  | { kind: 'hang' }
  /** Ends the connection before any header. */
  | { kind: 'reset' }
  /** Ends the stream after so many bytes: the connection breaks, or (`clean`) the body ends as if that were all. */
  | { kind: 'cut'; afterBytes: number; clean?: boolean }
  /** Sends so many bytes of the stream, then nothing more. */
  | { kind: 'silence'; afterBytes: number }
  /** An `error` event in the stream after so many events. */
  | { kind: 'event'; type: string; afterEvents: number }
  /** 200 with a page that is not the API's. */
  | { kind: 'garbage' }

export type Reply = {
  text?: string
  /** Signed reasoning before the text; the server insists on getting it back. */
  thinking?: string
  tools?: { name: string; input: unknown; /** Sent instead of the input, as it stands. */ raw?: string }[]
  stop?: 'max_tokens' | 'refusal'
  /** What goes wrong at the first, second, … try of this step; null or nothing left = it is answered. */
  faults?: (Fault | null)[]
}

export type Scenario = {
  name: string
  /** Null: the script has no line here; the server then ends the turn and says so. */
  answer(scene: Scene): Reply | null
}

export type Step = Reply | ((scene: Scene) => Reply)
/** Steps by `role` or `role:task`; a list of lists plays another list each round, the last one from then on. */
export type Script = Record<string, Step[] | Step[][]>

const isRounds = (steps: Step[] | Step[][]): steps is Step[][] => steps.every(Array.isArray)

/** A scenario from lists of steps. `capture` names what is taken from the person's words, for `{{name}}`. */
export function scripted(name: string, script: Script, capture: Record<string, RegExp> = {}): Scenario {
  return {
    name,
    answer(scene) {
      const steps = script[`${scene.role}:${scene.task}`] ?? script[scene.role]
      if (!steps) return null
      const list = isRounds(steps) ? steps[Math.min(scene.round, steps.length) - 1] : steps
      const step = list?.[scene.step]
      if (!step) return null
      const reply = typeof step === 'function' ? step(scene) : step
      return substitute(reply, (expression) => lookUp(expression, scene, capture))
    },
  }
}

/** The last match of a pattern's first group in what was said or in the system text (task document included). */
export function lastMatch(scene: Scene, pattern: RegExp): string | null {
  const everywhere = new RegExp(pattern.source, pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`)
  const text = [scene.system, ...scene.said].join('\n')
  return [...text.matchAll(everywhere)].at(-1)?.[1] ?? null
}

/** The newest call of a tool, optionally one whose result matches. */
export const lastPlayed = (scene: Scene, tool: string, result?: RegExp): PlayedTool | null =>
  scene.played.findLast((call) => call.name === tool && (!result || result.test(call.result))) ?? null

/**
 * `{{nonce}}` a captured value · `{{ev:last-shell}}` the event of the newest result of a tool · `{{ev:shell:exit 0}}`
 * of the newest whose text has that in it · `{{result:shell:[0-9a-f]{40}}}` a match in its text · `{{run}}`.
 */
function lookUp(expression: string, scene: Scene, capture: Record<string, RegExp>): string {
  const [kind, ...rest] = expression.split(':')
  if (kind === 'run') return scene.runId
  if (kind === 'ev') {
    const [tool = '', ...pattern] = rest
    const call = tool.startsWith('last-')
      ? lastPlayed(scene, tool.slice(5))
      : lastPlayed(scene, tool, pattern.length > 0 ? new RegExp(pattern.join(':')) : undefined)
    return String(call?.event ?? 0)
  }
  if (kind === 'result') {
    const [tool = '', ...pattern] = rest
    return scene.played.findLast((call) => call.name === tool)?.result.match(new RegExp(pattern.join(':')))?.[0] ?? ''
  }
  const pattern = capture[expression]
  const found = pattern && lastMatch(scene, pattern)
  if (!found) throw new Error(`the scenario has no value for {{${expression}}}`)
  return found
}

/** Replaces `{{…}}` in every string; a string that is one whole `{{ev:…}}` becomes a number. */
function substitute<Value>(value: Value, find: (expression: string) => string): Value {
  if (typeof value === 'string') {
    const whole = /^\{\{(ev:.+)\}\}$/.exec(value)
    if (whole) return Number(find(whole[1]!)) as Value
    return value.replaceAll(/\{\{((?:[^{}]|\{[^{}]*\})+)\}\}/g, (_, expression: string) => find(expression)) as Value
  }
  if (Array.isArray(value)) return value.map((entry: unknown) => substitute(entry, find)) as Value
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, substitute(entry, find)])) as Value
  return value
}
