import type { StepRef } from '../../sandbox/service.ts'
import type { RunSession } from '../session.ts'
import type { ToolContext } from './tool.ts'

export type ExecOutcome = Awaited<ReturnType<RunSession['exec']>>

/**
 * What a command left that an earlier worker started: its outcome, waited for when it still runs, or `unknown` when
 * the sandbox never heard of it or was started anew since.
 */
export async function harvest(
  session: RunSession,
  step: StepRef,
  signal: AbortSignal,
  everyMs = 200,
): Promise<ExecOutcome | 'unknown'> {
  for (;;) {
    const kept = await session.result(step)
    if (kept !== 'running') return kept
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** git under the seat's name, by whatever way it is run: "Engineer 1 <engineer@crew.guildhall>". */
export function gitNames({ role, run }: Pick<ToolContext, 'role' | 'run'>): Record<string, string> {
  const email = `${role.role}@crew.guildhall`
  return {
    GIT_AUTHOR_NAME: run.seatName,
    GIT_COMMITTER_NAME: run.seatName,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_EMAIL: email,
  }
}

/** stdout, and stderr under its own heading: their order in time is not known. */
export function outputOf({ stdout, stderr }: Pick<ExecOutcome, 'stdout' | 'stderr'>): string {
  const out = readable(stdout)
  const err = readable(stderr)
  if (err === '') return out
  return out === '' ? err : `${out}\n── stderr ──\n${err}`
}

// Colours and cursor moves mean nothing to a model and hide text from people.
const terminalCodes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g
const readable = (bytes: Buffer) =>
  bytes.toString('utf8').replaceAll(terminalCodes, '').replaceAll(/\r\n?/g, '\n').trimEnd()
