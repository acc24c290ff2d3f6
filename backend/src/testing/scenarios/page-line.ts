import { type Goal, knownText, lastChange, passed, ran, uniqueTail, wasRead } from './goals.ts'
import type { PlayedTool, Scene } from './scenario.ts'

/** How the rehearsal's engineer puts one line of words onto the page of the React template. */

export type Place = 'banner' | 'footer'
export const contentPath = 'src/content.ts'
export const pagePath = 'src/App.tsx'
export const stylePath = 'src/styles.css'
export const testPath = (place: Place) => `tests/${place}.test.ts`

/** Fails until the page's content says exactly these words. No shell reads it, so they stand as they are. */
export const exactCheck = (place: Place, words: string): string[] => [
  'node',
  '--input-type=module',
  '-e',
  `const { ${place} } = await import('./${contentPath}'); if (${place} !== process.argv[1]) throw new Error('the ${place} says ' + ${place})`,
  '--',
  words,
]

const quoted = (words: string) => `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const shellQuoted = (word: string) => (/^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

type Edit = { path: string; old: string; new: string }

/** The words as a constant of their own: the banner's before the first export, the footer's at the end. */
function contentEdit(text: string, place: Place, words: string): Edit | null {
  const line = `export const ${place} = ${quoted(words)}`
  if (text.includes(line)) return null
  const present = new RegExp(`^export const ${place} = .*$`, 'm').exec(text)?.[0]
  if (present) return { path: contentPath, old: present, new: line }
  const first = /^export .*$/m.exec(text)?.[0]
  if (place === 'banner' && first) return { path: contentPath, old: first, new: `${line}\n\n${first}` }
  const tail = uniqueTail(text)
  return { path: contentPath, old: tail, new: `${tail}\n\n${line}` }
}

/**
 * Each place has spots of its own, so that two branches merge: the banner goes before the first import and right
 * inside the page, the footer after the last import and into the footer that is there.
 */
function importEdit(page: string, place: Place): Edit | null {
  const line = `import { ${place} } from './content.ts'`
  if (page.includes(line)) return null
  const imports = page.match(/^import .*$/gm) ?? []
  const anchor = (place === 'banner' ? imports[0] : imports.at(-1)) ?? page.split('\n')[0]!
  return { path: pagePath, old: anchor, new: place === 'banner' ? `${line}\n${anchor}` : `${anchor}\n${line}` }
}

function elementEdit(page: string, place: Place): Edit | null {
  if (page.includes(`{${place}}`)) return null
  if (place === 'footer') {
    const present = /(<footer[^>]*>)[^<]*<\/footer>/.exec(page)
    return present && { path: pagePath, old: present[0], new: `${present[1]}{footer}</footer>` }
  }
  const opening = /return \(\n(\s*)<[^>]*>\n/.exec(page)
  return (
    opening && {
      path: pagePath,
      old: opening[0],
      new: `${opening[0]}${opening[1]}  <p className="banner">{banner}</p>\n`,
    }
  )
}

const bannerRule = `.banner {
  margin: var(--space) 0 0;
  padding: 0.75rem 1.25rem;
  border-radius: var(--radius);
  background: var(--accent);
  color: var(--on-accent);
}`

function styleEdit(styles: string): Edit | null {
  const anchor = /^\.hero \{$/m.exec(styles)?.[0]
  return styles.includes('.banner {') || !anchor
    ? null
    : { path: stylePath, old: anchor, new: `${bannerRule}\n\n${anchor}` }
}

const testText = (place: Place, words: string) => `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ${place} } from '../src/content.ts'

test('the ${place} says what was asked for', () => {
  assert.equal(${place}, ${quoted(words)})
})
`

export const testCommand = 'npm test'
export const installCommand = 'npm ci'
export const buildCommand = 'npm run build'
export const exactCommand = (place: Place, words: string) => exactCheck(place, words).map(shellQuoted).join(' ')

const shell = (command: string) => ({ name: 'shell', input: { command } })
const edit = ({ path, old, new: next }: Edit) => ({ name: 'edit', input: { path, old, new: next } })

/** Reads what the run must know of a file that is there already. */
const readFirst = (text: string, ...paths: string[]): Goal => ({
  reached: (scene) => paths.every((path) => wasRead(scene, path)),
  reply: (scene) => ({
    text,
    tools: paths.filter((path) => !wasRead(scene, path)).map((path) => ({ name: 'read', input: { path } })),
  }),
})

/** Where evidence begins to count: the last change of a file, or the packages that came after it. */
const since = (scene: Scene) => Math.max(lastChange(scene), scene.played.findLastIndex(isInstall))
const isInstall = (call: PlayedTool) =>
  call.name === 'shell' && !call.isError && (call.input as { command: string }).command === installCommand
const lacksPackages = (call: PlayedTool | null) => call !== null && /: not found|Cannot find package/.test(call.result)

const changed = (name: string, path: string) => (scene: Scene) =>
  scene.played.some((call) => call.name === name && !call.isError && (call.input as { path?: string }).path === path)

/** The test first; a file that is there from an earlier round is read and kept. */
export const failingTest = (place: Place, words: string): Goal => ({
  reached: (scene) =>
    changed('write', testPath(place))(scene) || knownText(scene, testPath(place)) === testText(place, words).trimEnd(),
  reply: (scene) => {
    const refused = scene.played.findLast((call) => call.name === 'write')?.isError ?? false
    if (refused && !wasRead(scene, testPath(place)))
      return {
        text: 'The test is there already; I look at it.',
        tools: [{ name: 'read', input: { path: testPath(place) } }],
      }
    return {
      text: `First a test that fails until the ${place} is there.`,
      tools: [{ name: 'write', input: { path: testPath(place), content: testText(place, words) } }],
    }
  },
})

export const orientation: Goal[] = [
  readFirst('I look at how the page is built and where its words live.', contentPath, pagePath),
  {
    reached: (scene) => scene.played.some((call) => call.name === 'grep' && !call.isError),
    reply: () => ({
      text: 'Now where those words are used.',
      tools: [{ name: 'grep', input: { pattern: 'content', path: 'src' } }],
    }),
  },
]

const redTest = (place: Place): Goal => ({
  reached: (scene) => ran(scene, testCommand) !== null,
  reply: () => ({ text: `It should fail now, because there is no ${place} yet.`, tools: [shell(testCommand)] }),
})

export const committed = (text: string, message: string, boxes: number[]): Goal => ({
  reached: (scene) =>
    scene.played.some(
      (call) => call.name === 'commit' && !call.isError && (call.input as { message: string }).message === message,
    ),
  reply: () => ({ text, tools: [{ name: 'commit', input: { message, boxes } }] }),
})

/** The edits of one move, those that are still to be made. */
const edited = (text: string, path: string, wanted: ((known: string) => Edit | null)[]): Goal => {
  const open = (scene: Scene) => {
    const known = knownText(scene, path)
    return known === null ? [] : wanted.flatMap((change) => change(known) ?? [])
  }
  return {
    reached: (scene) => knownText(scene, path) !== null && open(scene).length === 0,
    reply: (scene) => ({ text, tools: open(scene).map(edit) }),
  }
}

const proofs = (place: Place, words: string) => [testCommand, buildCommand, exactCommand(place, words)]

const proven = (place: Place, words: string): Goal => {
  const last = (scene: Scene, command: string) => ran(scene, command, since(scene))
  return {
    reached: (scene) => proofs(place, words).every((command) => passed(last(scene, command))),
    reply: (scene) => {
      const failed = proofs(place, words).find((command) => last(scene, command) && !passed(last(scene, command)))
      if (failed && lacksPackages(last(scene, failed)) && !scene.played.some(isInstall))
        return { text: 'The packages are not installed here yet.', tools: [shell(installCommand)] }
      if (failed) return { text: `\`${failed}\` does not pass, and this script knows no other way. I stop here.` }
      const open = proofs(place, words).filter((command) => !last(scene, command))
      return { text: 'Now everything that the task asks for.', tools: open.map(shell) }
    },
  }
}

export const handedIn = (summary: string, claims: (scene: Scene) => { text: string; evidence: number[] }[]): Goal => ({
  reached: (scene) => scene.played.some((call) => call.name === 'finish' && !call.isError),
  reply: (scene) => ({
    text: 'That is all the task asks for.',
    tools: [{ name: 'finish', input: { summary, claims: claims(scene) } }],
  }),
})

/** The whole task, from reading to the claims. */
export function lineGoals(place: Place, words: string): Goal[] {
  const evidence = (scene: Scene, command: string) => [ran(scene, command, since(scene))?.event ?? 1]
  return [
    ...orientation,
    failingTest(place, words),
    redTest(place),
    committed('The test stands; I commit it by itself.', `test(${place}): expect the words that were asked for`, [1]),
    edited(`The words go into ${contentPath}.`, contentPath, [(text) => contentEdit(text, place, words)]),
    edited('The page takes them from there and shows them.', pagePath, [
      (page) => importEdit(page, place),
      (page) => elementEdit(page, place),
    ]),
    ...(place === 'banner'
      ? [readFirst('And its look.', stylePath), edited('A rule of its own.', stylePath, [styleEdit])]
      : []),
    proven(place, words),
    committed(
      'All green. I commit.',
      `feat(${place}): show the words that were asked for\n\nThe words live in ${contentPath}, like every other text of the page.`,
      [2],
    ),
    handedIn(`The page shows a ${place} that says "${words}".`, (scene) => [
      { text: 'All tests pass', evidence: evidence(scene, testCommand) },
      { text: 'The page builds', evidence: evidence(scene, buildCommand) },
      { text: `The ${place} says exactly the words asked for`, evidence: evidence(scene, exactCommand(place, words)) },
    ]),
  ]
}
