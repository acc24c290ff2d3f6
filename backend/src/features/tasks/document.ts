import type { Check, Task } from '@guildhall/protocol/tasks.ts'

/** Where a task's document stands on its branch. The plan's number keeps keys of two plans apart. */
export const documentPath = (planNumber: number, task: Pick<Task, 'key'>) =>
  `ai_docs/tasks/${String(planNumber).padStart(3, '0')}-${task.key}.md`

export const checkAsText = (check: Check): string => check.argv.map(quoted).join(' ')

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

const section = (title: string, lines: string[]) => (lines.length > 0 ? [`## ${title}`, '', ...lines, ''] : [])

/**
 * The task document as markdown: what a person approved, with the boxes as they stand. PostgreSQL is the live truth;
 * this is written to the branch after approval and, with ticks and commit ids, before review.
 */
export function printDocument(task: Task): string {
  return [
    `# ${task.title}`,
    '',
    task.goal,
    '',
    ...section(
      'Success criteria',
      task.criteria.map(({ text, check }) => `- ${text}\n  - check: \`${checkAsText(check)}\``),
    ),
    ...section(
      'Constraints',
      task.constraints.map(({ text, paths }) =>
        paths?.length ? `- ${text} (${paths.map((path) => `\`${path}\``).join(', ')})` : `- ${text}`,
      ),
    ),
    ...section(
      'Replaces',
      task.replaces.map((name) => `- criterion ${name}, which main keeps until this is merged`),
    ),
    ...section(
      'Scope',
      task.scope.map((glob) => `- \`${glob}\``),
    ),
    ...section(
      'Boxes',
      task.boxes.map(({ text, files, done, commit }, index) => {
        const where = files.length > 0 ? ` (${files.map((file) => `\`${file}\``).join(', ')})` : ''
        return `- [${done ? 'x' : ' '}] ${index + 1}. ${text}${where}${commit ? ` · ${commit.slice(0, 7)}` : ''}`
      }),
    ),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}
