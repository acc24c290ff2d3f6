import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../platform/db/database.ts'
import { isAppError } from '../../platform/errors.ts'
import { newId } from '../../platform/ids.ts'
import { createLog } from '../../platform/log.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshProject, freshUser, join } from '../../testing/world.ts'
import { createConversationService } from '../conversations/service.ts'
import { createLlmService } from '../llm/service.ts'
import { createAuthorize } from '../projects/authorize.ts'
import { createUsageService } from '../usage/service.ts'
import { type ChatRuns, createChatService } from './service.ts'

let database: TestDatabase
let owner: Extract<Actor, { kind: 'user' }>
let projectId: ProjectId

beforeAll(async () => {
  database = await freshDatabase()
  owner = await freshUser(database.db)
  projectId = await freshProject(database.db, owner)
})
afterAll(() => database.close())

function setUp(db: Database, { apiKey = 'a-key', start }: { apiKey?: string | null; start?: ChatRuns['start'] } = {}) {
  const authorize = createAuthorize({ db })
  const conversations = createConversationService({ db, authorize })
  const llm = createLlmService({
    config: { anthropic: apiKey ? { apiKey } : null },
    log: createLog({ level: 'silent' }),
  })
  const started: Parameters<ChatRuns['start']>[1][] = []
  const stopped: string[] = []
  const runs: ChatRuns = {
    start:
      start ??
      (async (_tx, run) => {
        started.push(run)
        return newId<RunId>()
      }),
    cancelConversation: async () => 2,
  }
  const chat = createChatService({
    ...{ db, authorize, conversations, llm, runs, nameOf: async () => 'Ada Lovelace' },
    usage: createUsageService({ db, authorize }),
    tasks: { stopConversation: async (id) => void stopped.push(id) },
  })
  return { chat, conversations, started, stopped }
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  )

test('what a person says is stored under their name and starts one plan run of the manager', async () => {
  const { chat, conversations, started } = setUp(database.db)
  const accepted = await chat.send(owner, projectId, { content: 'Add a banner' })
  const { items } = await conversations.messages(owner, accepted.conversationId)
  expect(items).toMatchObject([
    {
      id: accepted.messageId,
      kind: 'chat',
      content: 'Add a banner',
      sender: { kind: 'user', userId: owner.userId, name: 'Ada Lovelace' },
    },
  ])
  expect(started).toEqual([
    {
      projectId,
      conversationId: accepted.conversationId,
      taskId: null,
      role: 'dev_manager',
      purpose: 'plan',
      userId: owner.userId,
    },
  ])
})

test('without a model nothing is stored and the answer says what to do', async () => {
  const { chat, conversations } = setUp(database.db, { apiKey: null })
  const conversation = await conversations.main(projectId)
  const before = await conversations.messages(owner, conversation.id)
  await expect(chat.send(owner, projectId, { content: 'hello' })).rejects.toMatchObject({
    code: 'no_model',
    message: expect.stringContaining('ANTHROPIC_API_KEY') as string,
  })
  expect(await conversations.messages(owner, conversation.id)).toEqual(before)
})

test('a run that cannot start takes its message back', async () => {
  const failing = setUp(database.db, {
    start: async () => {
      throw new Error('no seat')
    },
  })
  const conversation = await failing.conversations.main(projectId)
  const before = await failing.conversations.messages(owner, conversation.id)
  await expect(failing.chat.send(owner, projectId, { content: 'lost' })).rejects.toThrow('no seat')
  expect(await failing.conversations.messages(owner, conversation.id)).toEqual(before)
})

test('viewers read along and neither write nor stop', async () => {
  const { chat } = setUp(database.db)
  const viewer = await freshUser(database.db)
  await join(database.db, projectId, viewer, 'viewer')
  expect(await codeOf(chat.send(viewer, projectId, { content: 'hi' }))).toBe('forbidden')
  expect(await codeOf(chat.stop(viewer, projectId))).toBe('forbidden')
})

test('strangers, and conversations of another project, are refused', async () => {
  const { chat, conversations, started } = setUp(database.db)
  const stranger = await freshUser(database.db)
  const other = await freshProject(database.db, owner)
  const elsewhere = (await conversations.main(other)).id
  expect(await codeOf(chat.send(stranger, projectId, { content: 'hi' }))).toBe('not_found')
  expect(await codeOf(chat.stop(stranger, projectId))).toBe('not_found')
  expect(await codeOf(chat.send(owner, projectId, { content: 'hi', conversationId: elsewhere }))).toBe('not_found')
  expect(started).toEqual([])
})

test('stop answers how many runs were asked to end, and holds the tasks that would start others', async () => {
  const { chat, conversations, stopped } = setUp(database.db)
  expect(await chat.stop(owner, projectId)).toEqual({ stoppedRuns: 2 })
  expect(stopped).toEqual([(await conversations.main(projectId)).id])
})

test('a project that has spent its budget refuses a wish before it is stored, and says what to do', async () => {
  const { db } = database
  const poor = await freshProject(db, owner)
  await db.system((tx) =>
    tx.execute(sql`update projects set config = config || '{"budgetUsd":"0.000000"}' where id = ${poor}`),
  )
  const { chat, conversations } = setUp(db)
  await expect(chat.send(owner, poor, { content: 'Build it' })).rejects.toThrow(
    /budget of \$0\.00 is reached.*Raise it in the project's settings/,
  )
  const { id } = await conversations.main(poor)
  expect((await conversations.messages(owner, id)).items).toEqual([])
})
