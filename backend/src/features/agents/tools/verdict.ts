import { defineTool, done, refuse } from './tool.ts'

export const verdict = defineTool({
  name: 'verdict',
  description: 'Gives your verdict on exactly the change you were shown, with comments at lines. Ends the review.',
  call(input, { tasks, agent, run }) {
    const give = async () => {
      if (!run.taskId) return refuse('This run reviews no task. Say what you found in plain text.')
      const answer = await tasks.verdict(agent, run.taskId, run.id, input)
      if (!answer.ok) return refuse(`The verdict is not accepted:\n- ${answer.refusals.join('\n- ')}`)
      const said = input.verdict === 'approve' ? 'approved' : 'changes requested'
      return done(`Verdict given: ${said}.`, { figure: said, endsRun: true })
    }
    return { title: `verdict ${input.verdict}`, run: give, resume: give }
  },
})
