import type { RunPurpose } from '@guildhall/protocol/agents.ts'
import type { Message } from '@guildhall/protocol/conversations.ts'
import type { ConversationId, ProjectId, RunId, TaskId } from '@guildhall/protocol/ids.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { CheckRun } from '@guildhall/protocol/tasks.ts'
import type { ConversationService } from '../conversations/service.ts'
import type { PromptService } from '../prompts/service.ts'
import type { RunSession } from './session.ts'
import type { TaskService } from '../tasks/service.ts'
import { decodeText, listFiles } from './tools/files.ts'
import { asData, cutMiddle } from './tools/text.ts'
import type { RunRow } from './store.ts'

export type Opening = NonNullable<RunRow['opening']>

const guidanceFiles = ['AGENTS.md', 'CLAUDE.md', 'CONTRIBUTING.md']
const guidanceBytes = 8 * 1_024
const listedFiles = 400
const diffBytes = 60 * 1_024
const earlierMessages = 40

export interface OpeningDeps {
  prompts: Pick<PromptService, 'systemPrompt'>
  conversations: Pick<ConversationService, 'recent'>
  tasks: Pick<TaskService, 'document' | 'reviewContext' | 'standing'>
}

/** How a run begins: the frozen system text and the first message. Made once and stored, then never made again. */
export async function makeOpening(
  { prompts, conversations, tasks }: OpeningDeps,
  run: {
    id: RunId
    projectId: ProjectId
    role: Role
    purpose: RunPurpose
    conversationId: ConversationId
    taskId: TaskId | null
  },
  session: RunSession,
  root: string,
): Promise<Opening> {
  const said = await conversations.recent(run.conversationId, earlierMessages)
  const task = run.taskId ? await tasks.document(run.taskId) : null
  const { system, version } = prompts.systemPrompt({
    role: run.role,
    taskKey: task?.task.key ?? null,
    runId: run.id,
    purpose: run.purpose,
    guidance: await guidanceIn(session, root),
    document: task?.markdown ?? null,
  })
  const first =
    run.purpose === 'plan' || !run.taskId
      ? await planMessage(said, await tasks.standing(run.projectId), session, root)
      : run.purpose === 'review'
        ? await reviewMessage(tasks, run.taskId)
        : workMessage(task!)
  return { system, first, promptVersion: version, heardSeq: said.at(-1)?.seq ?? 0 }
}

async function guidanceIn(session: RunSession, root: string): Promise<{ path: string; text: string }[]> {
  const found = await Promise.all(
    guidanceFiles.map(async (path) => {
      const file = await session.readFile(`${root}/${path}`)
      const text = file && decodeText(file.bytes)
      return text ? [{ path, text: cutMiddle(text, guidanceBytes, `read ${path} for the rest`) }] : []
    }),
  )
  return found.flat()
}

const spoken = ({ sender, content }: Message) => `${sender.kind === 'system' ? 'Guildhall' : sender.name}: ${content}`

/** The newest words of the person are the wish; what was said before, by whomever, is background. */
async function planMessage(
  said: Message[],
  standing: Awaited<ReturnType<TaskService['standing']>>,
  session: RunSession,
  root: string,
): Promise<string> {
  const lastOfCrew = said.findLastIndex(({ sender }) => sender.kind !== 'user')
  const wishes = said.slice(lastOfCrew + 1)
  const earlier = wishes.length > 0 ? said.slice(0, lastOfCrew + 1) : said
  const files = await listFiles(session, root)
  const more = files.length > listedFiles ? `\n… and ${files.length - listedFiles} more` : ''
  return [
    asData('project files', files.slice(0, listedFiles).join('\n') + more),
    ...(standing.length > 0 ? [asData('what main keeps', cutMiddle(standing.map(kept).join('\n')))] : []),
    ...(earlier.length > 0 ? [asData('conversation so far', cutMiddle(earlier.map(spoken).join('\n\n')))] : []),
    wishes.map(({ content }) => content).join('\n\n') || 'Read the conversation so far and answer what is open in it.',
  ].join('\n\n')
}

const kept = ({ name, task, text, check }: Awaited<ReturnType<TaskService['standing']>>[number]) =>
  `${name} · ${task.title}: ${text} (\`${check.argv.join(' ')}\`)`

function workMessage({ task, returned }: Awaited<ReturnType<TaskService['document']>>): string {
  const begin = `Carry out your task \`${task.key}\`, "${task.title}", on branch ${task.branch}. Its document stands above.`
  if (!returned) return begin
  const why = asData('why it came back', cutMiddle(returned))
  return `${begin}\n\nThe branch came back to you. What you committed stands; put right what follows, commit, and finish again.\n\n${why}`
}

async function reviewMessage(tasks: OpeningDeps['tasks'], taskId: TaskId): Promise<string> {
  const { task, base, head, diffText, checkRun } = await tasks.reviewContext(taskId)
  const criteria = task.criteria.map(({ text, check }, index) => `${index + 1}. ${text} (\`${check.argv.join(' ')}\`)`)
  const claims = task.claims.map(({ text, evidence }) => `- ${text} (events ${evidence.join(', ')})`)
  return [
    `Review task \`${task.key}\`, "${task.title}": the change from ${base.slice(0, 8)} to ${head.slice(0, 8)}. Your work tree is a checkout of exactly that commit.`,
    `Criteria:\n${criteria.join('\n')}`,
    asData('what the author says', `${task.summary ?? ''}\n${claims.join('\n')}`),
    asData('check results', checkRun ? resultsOf(checkRun) : 'No check has run.'),
    asData('diff', cutMiddle(diffText, diffBytes, 'read the files for the rest')),
    'Give your verdict.',
  ].join('\n\n')
}

function resultsOf({ results, error }: CheckRun): string {
  const lines = results.map(({ criterion, argv, passed, exitCode, output }) => {
    const head = `${passed ? 'passed' : 'FAILED'} · ${criterion} · ${argv.join(' ')} · exit ${exitCode ?? '-'}`
    return `${head}\n${cutMiddle(output.trim(), 2_048)}`
  })
  return [...lines, ...(error ? [error] : [])].join('\n\n')
}
