import { type ExecOutcome, gitNames, harvest, outputOf } from './exec.ts'
import { fence } from './paths.ts'
import { cutMiddle, oneLine, resultBytes, seconds } from './text.ts'
import { defineTool, done, type ToolOutcome } from './tool.ts'

const usualTimeoutMs = 300_000
const quietMs = 120_000

export const shell = defineTool({
  name: 'shell',
  description:
    'Runs a command with bash in your work tree and waits for it: tests, builds, git, searching. It ends after timeoutMs, or when it prints nothing for 120 s. There is no terminal and no network beyond the package registries.',
  call({ command, cwd = '.', timeoutMs = usualTimeoutMs }, context) {
    const fenced = fence(cwd, context.root)
    if ('refusal' in fenced) return fenced
    if (command.includes('\0'))
      return { refusal: 'A command holds no NUL character. Write it again, with \\0 spelled out.' }
    return {
      title: oneLine(command),
      async run() {
        const outcome = await context.session.exec({
          argv: ['bash', '-c', command],
          cwd: fenced.path === '.' ? context.root : `${context.root}/${fenced.path}`,
          // A merge that the platform asks for needs a name to commit under.
          env: { ...context.env, ...gitNames(context) },
          timeoutMs,
          quietMs,
          maxBytes: 2 * resultBytes,
          signal: context.signal,
          step: context.step(),
        })
        return told(outcome)
      },
      async resume() {
        const kept = await harvest(context.session, context.step(), context.signal)
        return kept === 'unknown' ? interrupted : told(kept)
      },
    }
  },
})

/** A command is never sent twice: nobody knows how far it came. */
const interrupted: ToolOutcome = {
  state: 'interrupted',
  figure: 'interrupted',
  text: 'Interrupted: the worker stopped while this command was under way, and what it did is not known. Look at the state (git status, the files it writes) before you run it again.',
}

function told(outcome: ExecOutcome): ToolOutcome {
  const figure = `${ending(outcome)} · ${seconds(outcome.durationMs)}`
  const output = cutMiddle(outputOf(outcome), resultBytes, 'send long output to a file, then grep or read it')
  return done(`${figure}\n${output === '' ? '(no output)' : output}`, { figure })
}

function ending({ timedOut, exitCode, signal }: ExecOutcome): string {
  if (timedOut) return 'stopped: over its time, or quiet for 120 s'
  return exitCode === null ? `ended by ${signal ?? 'a signal'}` : `exit ${exitCode}`
}
