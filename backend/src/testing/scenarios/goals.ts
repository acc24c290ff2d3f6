import type { PlayedTool, Reply, Scene } from './scenario.ts'

/**
 * A run as a list of goals: the first one that is not reached is what the script does next. So it survives what a real
 * run survives: a command that was interrupted is run again, and evidence is made anew after a change.
 */
export type Goal = {
  reached(scene: Scene): boolean
  reply(scene: Scene): Reply
}

/** Null when all is reached. A goal that was tried three times in vain ends the turn in plain words. */
export function nextReply(scene: Scene, goals: Goal[]): Reply | null {
  const goal = goals.find((candidate) => !candidate.reached(scene))
  if (!goal) return null
  const reply = goal.reply(scene)
  const call = reply.tools?.at(-1)
  const tries = call
    ? scene.played.filter((done) => done.name === call.name && same(done.input, call.input) && done.isError).length
    : 0
  if (tries < 3) return reply
  const last = scene.played.findLast((done) => done.name === call?.name)
  return {
    text: `The script cannot go on: ${call?.name} was refused three times. The last answer was: ${last?.result}`,
  }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
const field = (call: PlayedTool, name: string): unknown => (call.input as Record<string, unknown> | null)?.[name]
const changes = (call: PlayedTool) => (call.name === 'edit' || call.name === 'write') && !call.isError

/** Where in the run the last change of a file was; -1 before any. */
export const lastChange = (scene: Scene) => scene.played.findLastIndex(changes)

export const wasRead = (scene: Scene, path: string) =>
  scene.played.some((call) => call.name === 'read' && !call.isError && field(call, 'path') === path)

/** The newest run of a command after position `from` that came to an end. */
export const ran = (scene: Scene, command: string, from = -1): PlayedTool | null =>
  scene.played.findLast(
    (call, index) => index > from && call.name === 'shell' && !call.isError && field(call, 'command') === command,
  ) ?? null

export const passed = (call: PlayedTool | null) => call !== null && /^(?:\[ev \d+\] )?exit 0\b/.test(call.result)

/** A file as the run knows it: what `read` showed, with its own changes since. Null before it was read or written. */
export function knownText(scene: Scene, path: string): string | null {
  let text: string | null = null
  for (const call of scene.played) {
    if (call.isError || field(call, 'path') !== path) continue
    if (call.name === 'read') text = shownText(call.result)
    if (call.name === 'write') text = String(field(call, 'content'))
    if (call.name === 'edit') text = text?.replace(String(field(call, 'old')), () => String(field(call, 'new'))) ?? null
  }
  return text
}

/** The lines of a `read` result (`   12│text`) as they stand in the file. */
const shownText = (result: string) =>
  result
    .split('\n')
    .flatMap((line) => /^\s*\d+│(.*)$/.exec(line)?.slice(1) ?? [])
    .join('\n')

/** The end of a text (or of its part up to `end`), from as few whole lines as occur only once: what `edit` can find. */
export function uniqueTail(text: string, end = text.trimEnd().length): string {
  const part = text.slice(0, end)
  const lines = part.split('\n')
  for (let count = 1; count <= lines.length; count++) {
    const tail = lines.slice(-count).join('\n')
    if (tail.trim() !== '' && text.split(tail).length === 2) return tail
  }
  return part
}
