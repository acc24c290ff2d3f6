import type { ProjectId, Sha } from '@guildhall/protocol/ids.ts'
import type { CheckResult } from '@guildhall/protocol/tasks.ts'
import type { RepositoryService } from '../repository/service.ts'
import type { SandboxService } from '../sandbox/service.ts'
import { checkAsText } from './document.ts'
import type { Asked } from './standing.ts'

const setupTimeoutMs = 300_000
const keptOutputBytes = 8_000
const checkoutPath = '/workspace/check'

export interface CheckOutcome {
  passed: boolean
  results: CheckResult[]
  /** Set when the checks could not even begin, such as a set-up that fails. */
  error: string | null
}

/**
 * Runs checks where nobody has worked: a throw-away container with a throw-away volume, fed with exactly `commit` from
 * the bare repository, after the project's set-up command. Throws AppError when no sandbox can be had; that says
 * nothing about the work.
 */
export async function runChecks(
  { sandbox, repository }: { sandbox: SandboxService; repository: RepositoryService },
  projectId: ProjectId,
  { commit, setupCommand, criteria }: { commit: Sha; setupCommand: string | null; criteria: Asked[] },
  signal: AbortSignal,
): Promise<CheckOutcome> {
  return sandbox.withFreshSandbox(projectId, async (session) => {
    await repository.checkOut(projectId, session, commit, checkoutPath)
    const env = { CI: '1' }
    if (setupCommand) {
      const setup = await session.exec({
        argv: ['bash', '-c', setupCommand],
        cwd: checkoutPath,
        env,
        timeoutMs: setupTimeoutMs,
        maxBytes: keptOutputBytes,
        signal,
      })
      if (setup.exitCode !== 0) {
        const output = joined(setup)
        return {
          passed: false,
          results: [],
          error: `The set-up command \`${setupCommand}\` failed.\n\n${fenced(output)}`,
        }
      }
    }
    const results: CheckResult[] = []
    for (const { text, check, standing } of criteria) {
      // An abort ends the command that runs; the next must not begin.
      signal.throwIfAborted()
      const run = await session.exec({
        argv: check.argv,
        cwd: checkoutPath,
        env,
        timeoutMs: check.timeoutMs,
        maxBytes: keptOutputBytes,
        signal,
      })
      results.push({
        criterion: text,
        argv: check.argv,
        passed: run.exitCode === 0,
        exitCode: run.exitCode,
        durationMs: run.durationMs,
        output: run.timedOut ? `${joined(run)}\nStopped after ${check.timeoutMs} ms.` : joined(run),
        standing,
      })
    }
    return { passed: results.every(({ passed }) => passed), results, error: null }
  })
}

const joined = ({ stdout, stderr }: { stdout: Buffer; stderr: Buffer }) =>
  [stdout, stderr]
    .map((bytes) => bytes.toString('utf8').trimEnd())
    .filter(Boolean)
    .join('\n')

/** Output as a block of its own, whatever it holds: chat shows markdown, and output is not ours to format. */
function fenced(output: string): string {
  const longest = Math.max(2, ...(output.match(/`+/g) ?? []).map((ticks) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${output}\n${fence}`
}

/** What failed, for the person and for the author of the branch. */
export function failureText({ error, results }: CheckOutcome): string {
  if (error) return error
  return results
    .filter(({ passed }) => !passed)
    .map(({ criterion, argv, exitCode, output }) => {
      const command = checkAsText({ kind: 'command', argv, timeoutMs: 0 })
      return `${criterion}: \`${command}\` ended with ${exitCode ?? 'a signal'}.\n\n${fenced(output.slice(-2_000))}`
    })
    .join('\n\n')
}
