import { z } from 'zod'
import type { Sha } from '@guildhall/protocol/ids.ts'
import { type ExecOutcome, gitNames, harvest, outputOf } from './exec.ts'
import { cutMiddle, oneLine } from './text.ts'
import { defineTool, done, refuse, type ToolCall, type ToolContext, type ToolOutcome } from './tool.ts'

const Intent = z.object({ before: z.string() })
const conventional = /^(?:feat|fix|docs|style|refactor|perf|test|build|ci|chore|revert)(?:\([^()\s]+\))?!?: \S/

export const commit = defineTool({
  name: 'commit',
  description:
    'Commits everything in your work tree under your name and publishes your branch. Name the boxes it finishes. The message is conventional: `feat(cart): keep lines after a reload`, with a body that says why where it helps.',
  call({ message, boxes = [] }, context) {
    const subject = message.split('\n')[0]!
    if (!conventional.test(subject))
      return {
        refusal: `The message must begin like \`feat(scope): what changes\` (feat fix docs style refactor perf test build ci chore revert); it begins \`${oneLine(subject, 60)}\`. Commit again with such a line.`,
      }
    if (subject.length > 120)
      return {
        refusal: 'The first line is longer than 120 characters. Shorten it and put the rest below an empty line.',
      }
    if (!context.run.branch) return { refusal: 'This run has no branch of its own, so it cannot commit.' }
    return commitCall(context, context.run.branch, message, [...new Set(boxes)])
  },
})

function commitCall(context: ToolContext, branch: string, message: string, boxes: number[]): ToolCall {
  const { run, agent, tasks, repository } = context
  const git = gitIn(context)
  let before: string | null = null

  async function record(): Promise<ToolOutcome> {
    const added = await git(['add', '--all'], { part: 'add' })
    if (added.exitCode !== 0) return refuse(`git add failed:\n${cutMiddle(outputOf(added), 4_000)}`)
    const committed = await git(['-c', 'commit.gpgSign=false', 'commit', '--quiet', '--file=-'], {
      part: 'commit',
      stdin: Buffer.from(withTrailers(message, context)),
    })
    if (committed.exitCode === 0) return bringOut(true)
    if (/nothing to commit/.test(outputOf(committed))) {
      if (boxes.length > 0) return bringOut(false)
      return refuse('Nothing to commit: the work tree is as the last commit left it.')
    }
    return refuse(`git commit failed:\n${cutMiddle(outputOf(committed), 4_000)}`)
  }

  /** The commit stands inside; out to the platform's repository, then the boxes. Both may be said twice. */
  async function bringOut(isNew: boolean): Promise<ToolOutcome> {
    const { head } = await repository.publish(agent, run.projectId, branch)
    if (run.taskId && boxes.length > 0) await tasks.tick(agent, run.taskId, boxes, head)
    const figure = await changed(head)
    const ticked = boxes.length > 0 ? ` · ${boxes.length === 1 ? 'box' : 'boxes'} ${boxes.join(', ')} ticked` : ''
    const said = isNew
      ? `committed ${head.slice(0, 8)} · ${figure}`
      : `nothing new to commit; ${head.slice(0, 8)} stands`
    return done(`${said}${ticked} · published ${branch}`, { figure: isNew ? figure : head.slice(0, 8) })
  }

  async function changed(head: Sha): Promise<string> {
    const { stdout } = await git(['show', '--shortstat', '--format=', head])
    const stat = stdout.toString('utf8')
    const count = (word: string) => new RegExp(`(\\d+) ${word}`).exec(stat)?.[1] ?? '0'
    return `+${count('insertion')} −${count('deletion')}`
  }

  async function headNow(): Promise<string> {
    return (await git(['rev-parse', 'HEAD'])).stdout.toString('utf8').trim()
  }

  return {
    title: `commit ${oneLine(message, 100)}`,
    async intend() {
      const refusal = await boxRefusal(context, boxes)
      if (refusal) return { outcome: refuse(refusal) }
      before = await headNow()
      return { intent: { before } }
    },
    run: record,
    async resume(stored) {
      const intent = Intent.parse(stored)
      // What the dead worker set going inside may still be under way.
      for (const part of ['add', 'commit']) await harvest(context.session, context.step(part), context.signal)
      const head = await headNow()
      if (head === intent.before) return record()
      const [parent, subject] = (await git(['show', '--no-patch', '--format=%P%n%s', head])).stdout
        .toString('utf8')
        .split('\n')
      if (parent === intent.before && subject?.trim() === message.split('\n')[0]!.trim()) return bringOut(true)
      return refuse(
        'Interrupted: the branch has moved meanwhile and it is not known whether this commit was made. Look at git log, then commit again if it is missing.',
      )
    },
  }
}

async function boxRefusal({ run, tasks }: ToolContext, boxes: number[]): Promise<string | null> {
  if (boxes.length === 0) return null
  if (!run.taskId) return 'This run has no task, so there are no boxes. Commit without `boxes`.'
  const { task } = await tasks.document(run.taskId)
  const unknown = boxes.filter((box) => box > task.boxes.length)
  return unknown.length > 0
    ? `The task has boxes 1 to ${task.boxes.length}; ${unknown.join(', ')} is none of them. Commit again with the right numbers.`
    : null
}

function withTrailers(message: string, { run }: ToolContext): string {
  const trailers = [...(run.taskKey ? [`Task: ${run.taskKey}`] : []), `Model: ${run.model}`]
  return `${message.trim()}\n\n${trailers.join('\n')}\n`
}

/** git in the work tree, as the seat. */
function gitIn(context: ToolContext) {
  const { session, root, signal, step } = context
  const env = { ...context.env, ...gitNames(context) }
  return (args: string[], { part, stdin }: { part?: string; stdin?: Buffer } = {}): Promise<ExecOutcome> =>
    session.exec({
      argv: ['git', ...args],
      cwd: root,
      env,
      stdin,
      timeoutMs: 120_000,
      maxBytes: 65_536,
      signal,
      ...(part && { step: step(part) }),
    })
}
