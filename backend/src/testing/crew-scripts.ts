import { scripted, type Scene, type Step } from './scenarios/scenario.ts'

/** A manager who plans one small task named after its round, whatever it is asked. */
export const planOne: Step = (scene: Scene) => ({
  text: 'One task is enough.',
  tools: [
    {
      name: 'plan',
      input: {
        summary: 'The cart adds up',
        tasks: [
          {
            key: `total-${scene.round}`,
            title: 'Add up the cart',
            goal: 'The total of a cart is the sum of its prices.',
            role: 'engineer',
            criteria: [
              { text: 'the sum is right', check: { kind: 'command', argv: ['grep', '-q', 'reduce', 'src/cart.ts'] } },
            ],
            boxes: [{ text: 'total sums the prices' }],
          },
        ],
      },
    },
  ],
})

const call = (name: string, input: unknown, text?: string): Step => ({ text, tools: [{ name, input }] })

/** What leaves a line for each time it really ran, outside of what git sees, and takes a moment. */
export const nonceCommand = 'mkdir -p node_modules && echo ran >> node_modules/nonce && sleep 0.6 && echo finished'

const finish = call('finish', {
  summary: 'The total is the sum of the prices.',
  claims: [{ text: 'The command ran', evidence: ['{{ev:last-shell}}'] }],
})

/** An engineer who reads, edits, tests, commits and finishes; when that is refused, tests again and finishes then. */
export const engineerSteps: Step[] = [
  call('read', { path: 'src/cart.ts' }, 'I read the cart first.'),
  call('edit', { path: 'src/cart.ts', old: '=> 0', new: '=> prices.reduce((sum, price) => sum + price, 0)' }),
  call('shell', { command: nonceCommand }),
  call('commit', { message: 'feat(cart): add up the prices', boxes: [1] }),
  finish,
  call('shell', { command: nonceCommand }),
  finish,
]

/** An architect who looks at the change in its checkout and approves it. */
export const architectSteps: Step[] = [
  call('shell', { command: 'pwd; git status --porcelain; git log -1 --format=%s' }),
  call('verdict', { verdict: 'approve', summary: 'The sum is right and nothing else changed.', comments: [] }),
]

export const wholeCrew = scripted('whole crew', {
  dev_manager: [planOne],
  engineer: engineerSteps,
  architect: architectSteps,
})
