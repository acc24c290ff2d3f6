import type { Task } from '@guildhall/protocol/tasks.ts'
import { expect, test } from 'vitest'
import { checkAsText, documentPath, printDocument } from './document.ts'
import { slug } from './slug.ts'

const task = {
  key: 'banner',
  title: 'Show a banner',
  goal: 'A visitor reads the words first.',
  criteria: [
    { text: 'Tests pass', check: { kind: 'command', argv: ['node', '-e', "process.exit('a')"], timeoutMs: 1_000 } },
  ],
  constraints: [{ text: 'Leave the build alone', paths: ['vite.config.ts'] }],
  scope: ['src/**'],
  replaces: [],
  boxes: [
    { text: 'Write the test', files: ['tests/banner.test.ts'], done: true, commit: 'a'.repeat(40) },
    { text: 'Write the words', files: [], done: false, commit: null },
  ],
} as unknown as Task

test('the document reads as what was approved, with ticks and commits', () => {
  expect(printDocument(task)).toBe(`# Show a banner

A visitor reads the words first.

## Success criteria

- Tests pass
  - check: \`node -e 'process.exit('\\''a'\\'')'\`

## Constraints

- Leave the build alone (\`vite.config.ts\`)

## Scope

- \`src/**\`

## Boxes

- [x] 1. Write the test (\`tests/banner.test.ts\`) · aaaaaaa
- [ ] 2. Write the words
`)
})

test('paths keep two plans apart, commands are quoted, slugs are safe', () => {
  expect(documentPath(7, task)).toBe('ai_docs/tasks/007-banner.md')
  expect(checkAsText({ kind: 'command', argv: ['npm', 'run', 'a b'], timeoutMs: 1_000 })).toBe("npm run 'a b'")
  expect([slug('Héllo, wörld!'), slug('; rm -rf $(x)'), slug('日本')]).toEqual(['hello-world', 'rm-rf-x', 'task'])
})
