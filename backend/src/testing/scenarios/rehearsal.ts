import type { PlanTask } from '@guildhall/protocol/tasks.ts'
import { type Goal, nextReply, ran, wasRead } from './goals.ts'
import {
  committed,
  contentPath,
  exactCheck,
  failingTest,
  handedIn,
  lineGoals,
  orientation,
  pagePath,
  stylePath,
  type Place,
  testCommand,
  testPath,
} from './page-line.ts'
import { lastMatch, type Reply, type Scenario, type Scene } from './scenario.ts'

/**
 * The scripted rehearsal: a small crew that can put a banner, a footer, or both onto the page of the React template,
 * and that can show what happens when a check stays red. It says that it is a script.
 */

const say = '[“"„]([^"“”„\\n]{1,200})[”"“]'
const bannerWords = new RegExp(`banner that says ${say}`, 'i')
const footerWords = new RegExp(`footer that says ${say}`, 'i')
const staysRed = /stays? red/i
/** The task's own document says its words in this way, so every role finds them there. */
const goalOf = (place: Place, words: string) =>
  `Everyone who opens the page sees a ${place} that says "${words}", ${place === 'banner' ? 'at the top' : 'at the bottom'}.`

/** The newest words of the person: what the platform wrote before them stands in data blocks. */
function wishOf({ said }: Scene): string {
  const [first = '', ...later] = said
  const end = first.lastIndexOf('</data>')
  return [end === -1 ? first : first.slice(end + '</data>'.length), ...later].join('\n').trim()
}

const command = (text: string, ...argv: string[]) => ({
  text,
  check: { kind: 'command' as const, argv, timeoutMs: 180_000 },
})

const exactWords = (place: Place, words: string) => `The ${place} says exactly "${words}"`

function lineTask(place: Place, words: string): PlanTask {
  return {
    key: place,
    title: `Show a ${place}: ${words}`.slice(0, 120).trim(),
    goal: goalOf(place, words),
    role: 'engineer',
    form: 'short',
    dependsOn: [],
    scope: [contentPath, pagePath, stylePath, testPath(place)],
    criteria: [
      command('All tests pass', 'npm', 'test'),
      command('The page builds', 'npm', 'run', 'build'),
      command(exactWords(place, words), ...exactCheck(place, words)),
    ],
    constraints: [],
    boxes: [
      { text: `Write a test that expects the words`, files: [testPath(place)] },
      { text: `Show the ${place} on the page`, files: [contentPath, pagePath] },
    ],
    replaces: [],
  }
}

const redKey = 'stays-red'

const redTask = (words: string): PlanTask => ({
  ...lineTask('banner', words),
  key: redKey,
  title: 'Show a banner, with a check that stays red',
  boxes: [{ text: 'Write a test that expects the words', files: [testPath('banner')] }],
})

/** Words that can stand inside the sentence the script understands. */
const asWords = (text: string) =>
  text
    .replaceAll(/["“”„\s]+/g, ' ')
    .trim()
    .slice(0, 80)
    .trim() || 'Hello'

const example = '`Add a banner that says "Hello"`'

function planFor(wish: string): { text: string; tasks: PlanTask[]; assumptions: string[] } {
  const banner = bannerWords.exec(wish)?.[1]
  const footer = footerWords.exec(wish)?.[1]
  if (banner && staysRed.test(wish))
    return {
      text: `I plan a banner that says "${banner}", and the script will leave its check red, so that you see the work refused.`,
      tasks: [redTask(banner)],
      assumptions: ['The engineer of this rehearsal leaves the work undone on purpose.'],
    }
  if (banner && footer)
    return {
      text: `Two things, each on a branch of its own at the same time: a banner that says "${banner}" and a footer that says "${footer}".`,
      tasks: [lineTask('banner', banner), lineTask('footer', footer)],
      assumptions: ['The two can be built side by side; neither waits for the other.'],
    }
  if (banner || footer) {
    const place = banner ? 'banner' : 'footer'
    return {
      text: `A ${place} that says "${banner ?? footer}": one small task for an engineer, with a test first.`,
      tasks: [lineTask(place, (banner ?? footer)!)],
      assumptions: [`The ${place} is for everyone and cannot be closed.`],
    }
  }
  const words = asWords(wish)
  return {
    text: `This is a scripted rehearsal, no model reads along. The script understands one sentence: ${example} (or a footer, or both). So that you can watch the whole way from a wish to a merged change, I plan a banner with your own words: "${words}".`,
    tasks: [lineTask('banner', words)],
    assumptions: ['Your words become the text of the banner, because the script can do nothing else with them.'],
  }
}

/** New words for a place make its earlier ones untrue: names them as the platform's list of what main keeps shows them. */
function replacing(task: PlanTask, { said }: Scene): PlanTask {
  const place = task.key === 'footer' ? 'footer' : 'banner'
  const kept = said.join('\n').matchAll(new RegExp(`^(\\d+/[a-z0-9-]+/\\d+) · .*: The ${place} says exactly "`, 'gm'))
  return { ...task, replaces: [...kept].map(([, name]) => name!) }
}

function manager(scene: Scene): Reply {
  const refused = scene.played.findLast((call) => call.name === 'plan')
  if (refused) return { text: `The plan was not accepted, and the script has no other one. ${refused.result}` }
  const { text, assumptions, ...plan } = planFor(wishOf(scene))
  const tasks = plan.tasks.map((task) => replacing(task, scene))
  return { text, tools: [{ name: 'plan', input: { summary: text.slice(0, 2_000), assumptions, tasks } }] }
}

/** Writes the test and nothing else, and claims to be done: the gates have to find out. */
function redGoals(words: string): Goal[] {
  const evidence = (scene: Scene) => [ran(scene, testCommand)?.event ?? 1]
  return [
    ...orientation,
    failingTest('banner', words),
    {
      reached: (scene) => ran(scene, testCommand) !== null,
      reply: () => ({
        text: 'I run the tests and, by the script, do nothing about what they say.',
        tools: [{ name: 'shell', input: { command: testCommand } }],
      }),
    },
    committed('I commit the test alone.', 'test(banner): expect the words that were asked for', [1]),
    handedIn('The banner is there. (By the script this is not true; the checks will say so.)', (scene) => [
      { text: 'All tests pass', evidence: evidence(scene) },
    ]),
  ]
}

function engineer(scene: Scene): Reply | null {
  const place = scene.task === 'footer' ? 'footer' : 'banner'
  const words = lastMatch(scene, place === 'footer' ? footerWords : bannerWords)
  if (!words) return null
  return nextReply(scene, scene.task === redKey ? redGoals(words) : lineGoals(place, words))
}

/** Looks at the file that carries the words, then approves what the checks have shown. */
const reviewer = (scene: Scene): Reply | null =>
  nextReply(scene, [
    {
      reached: (now) => wasRead(now, contentPath),
      reply: () => ({
        text: 'I read the change, and the file that carries the words.',
        tools: [{ name: 'read', input: { path: contentPath } }],
      }),
    },
    {
      reached: (now) => now.played.some((call) => call.name === 'verdict' && !call.isError),
      reply: () => ({
        text: 'Small, tested, in the style of the page.',
        tools: [
          {
            name: 'verdict',
            input: {
              verdict: 'approve',
              summary: 'The change does what the goal says and nothing else; the words live with the other texts.',
              comments: [],
            },
          },
        ],
      }),
    },
  ])

const roles: Record<string, (scene: Scene) => Reply | null> = { dev_manager: manager, engineer, architect: reviewer }

export const rehearsal: Scenario = { name: 'rehearsal', answer: (scene) => roles[scene.role]?.(scene) ?? null }

/** What to say for each of the three stories. */
export const sentences = {
  banner: (words: string) => `Add a banner that says "${words}"`,
  two: (banner: string, footer: string) => `Add a banner that says "${banner}" and a footer that says "${footer}"`,
  red: (words: string) => `Add a banner that says "${words}", with a check that stays red`,
}
