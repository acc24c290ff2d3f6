import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ConversationId, MessageId, ProjectId } from '@guildhall/protocol/ids.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAppError } from '../../platform/errors.ts'
import { listEvents, projectTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { createAuthorize } from '../projects/authorize.ts'
import { type ConversationService, createConversationService, type NewMessage } from './service.ts'

type Person = Extract<Actor, { kind: 'user' }>

let database: TestDatabase
let conversations: ConversationService
let owner: Person
let projectId: ProjectId
let conversationId: ConversationId

beforeAll(async () => {
  database = await freshDatabase()
  const { db } = database
  conversations = createConversationService({ db, authorize: createAuthorize({ db }) })
  owner = await freshUser(db)
  projectId = await freshProject(db, owner)
  conversationId = (await conversations.main(projectId)).id
})
afterAll(() => database.close())

const message = (content: string, over: Partial<NewMessage> = {}): NewMessage => ({
  actor: owner,
  conversationId,
  projectId,
  sender: { kind: 'user', userId: owner.userId, name: 'Ada' },
  kind: 'chat',
  content,
  ...over,
})
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error: unknown) => (isAppError(error) ? `${error.code}: ${error.message}` : String(error)),
  )

test('messages written at the same moment get gapless numbers, and the log tells them in that order', async () => {
  const { db } = database
  const contents = Array.from({ length: 20 }, (_, index) => `message ${index}`)
  await Promise.all(contents.map((content) => db.as(owner, (tx) => conversations.post(tx, message(content)))))
  const { items, nextCursor } = await conversations.messages(owner, conversationId)
  expect(items.map((item) => item.seq)).toEqual(contents.map((_, index) => index + 1))
  expect(items.map((item) => item.content).sort()).toEqual([...contents].sort())
  expect(nextCursor).toBeNull()
  const events = await db.system((tx) => listEvents(tx, projectTopic(projectId), 0, 1_000))
  const told = events.flatMap((event) => (event.type === 'message.sent' ? [event.data.message] : []))
  expect(told).toEqual(items)
})

test('a message that is rolled back leaves no number and no event', async () => {
  const { db } = database
  const before = await conversations.messages(owner, conversationId)
  const failing = db.as(owner, async (tx) => {
    await conversations.post(tx, message('lost'))
    throw new Error('rolled back')
  })
  await expect(failing).rejects.toThrow('rolled back')
  await db.as(owner, (tx) => conversations.post(tx, message('kept')))
  const after = await conversations.messages(owner, conversationId)
  expect(after.items.at(-1)).toMatchObject({ content: 'kept', seq: before.items.length + 1 })
})

test('posting the same id again, as after a crash, stores it once', async () => {
  const { db } = database
  const id = newId<MessageId>()
  const first = await db.system((tx) => conversations.post(tx, message('once', { id, actor: { kind: 'system' } })))
  const second = await db.system((tx) => conversations.post(tx, message('twice', { id, actor: { kind: 'system' } })))
  expect(second).toEqual(first)
})

test('pages lead back to the beginning, oldest first within each', async () => {
  const all = (await conversations.messages(owner, conversationId, { limit: 200 })).items
  const read: typeof all = []
  let before: number | undefined
  do {
    const page = await conversations.messages(owner, conversationId, { before, limit: 7 })
    read.unshift(...page.items)
    before = page.nextCursor === null ? undefined : Number(page.nextCursor)
  } while (before !== undefined)
  expect(read).toEqual(all)
})

test('a stranger sees no conversation, and it looks the same as one that is not there', async () => {
  const stranger = await freshUser(database.db)
  expect(await codeOf(conversations.messages(stranger, conversationId))).toBe('not_found: Conversation does not exist')
  expect(await codeOf(conversations.messages(owner, newId<ConversationId>()))).toBe(
    'not_found: Conversation does not exist',
  )
  expect(await codeOf(conversations.list(stranger, projectId))).toMatch(/^not_found/)
  const intruding = database.db.as(stranger, (tx) => conversations.post(tx, message('hello')))
  expect(await codeOf(intruding)).toBe('not_found: Conversation does not exist')
})

test('a conversation of another project is refused', async () => {
  const other = await freshProject(database.db, owner)
  const posting = database.db.as(owner, (tx) => conversations.post(tx, message('astray', { projectId: other })))
  expect(await codeOf(posting)).toBe('not_found: Conversation does not exist')
})
