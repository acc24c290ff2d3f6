import { defineTool, done, refuse } from './tool.ts'

export const plan = defineTool({
  name: 'plan',
  description:
    'Hands in the plan: tasks with a goal, checks that can be run, boxes and dependencies. The person approves it before anyone begins. Complaints come back; correct them and call it again.',
  call(input, { tasks, agent, run }) {
    const submit = async () => {
      const answer = await tasks.submitPlan(agent, run, input)
      if (!answer.ok)
        return refuse(
          `The plan is not accepted yet:\n- ${answer.complaints.join('\n- ')}\nCorrect it and call plan again.`,
        )
      const count = `${input.tasks.length} ${input.tasks.length === 1 ? 'task' : 'tasks'}`
      return done(`Plan ${answer.plan.number} is handed in.`, { figure: count, endsRun: true })
    }
    // One plan a run: handing it in again is the same plan.
    return { title: 'plan', run: submit, resume: submit }
  },
})
