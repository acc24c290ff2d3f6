import type { TaskState } from '@guildhall/protocol/tasks.ts'
import { defineTool, done, refuse, type ToolContext } from './tool.ts'

export const finish = defineTool({
  name: 'finish',
  description:
    'Says that the task is done. Each claim cites the [ev N] of a tool result that shows it. Refused while boxes are open or the work tree has uncommitted changes. Checks and a review follow.',
  call(input, context) {
    const hand = async () => {
      const { tasks, repository, agent, run } = context
      if (!run.taskId || !run.branch) return refuse('This run works on no task. Say what you did in plain text.')
      const dirty = await uncommitted(context)
      if (dirty.length > 0)
        return refuse(
          `The work tree has uncommitted changes: ${dirty.join(', ')}. commit them, or remove what does not belong, then finish again.`,
        )
      // Commits made with git in shell are brought out too: what is checked is what the platform has.
      await repository.publish(agent, run.projectId, run.branch)
      const answer = await tasks.finish(agent, run.taskId, run.id, input)
      if (!answer.ok) return refuse(`Not finished yet:\n- ${answer.refusals.join('\n- ')}`)
      return accepted
    }
    return {
      title: 'finish',
      run: hand,
      async resume() {
        const { tasks, run } = context
        // Accepted by the worker that died, and the gates have gone on since: no step of this run came in between.
        const state = run.taskId ? (await tasks.document(run.taskId)).task.state : null
        return state !== null && afterFinish.includes(state) ? accepted : hand()
      },
    }
  },
})

const accepted = done('Handed in. Checks and a review follow.', { endsRun: true })
const afterFinish: TaskState[] = ['checking', 'reviewing', 'merging', 'merged']

async function uncommitted({ session, root, signal }: ToolContext): Promise<string[]> {
  const { stdout } = await session.exec({
    argv: ['git', 'status', '--porcelain', '-z', '--untracked-files=normal'],
    cwd: root,
    timeoutMs: 30_000,
    maxBytes: 65_536,
    signal,
  })
  const paths = stdout.toString('utf8').split('\0').filter(Boolean)
  const shown = paths.slice(0, 10).map((entry) => entry.slice(3))
  return paths.length > 10 ? [...shown, `and ${paths.length - 10} more`] : shown
}
