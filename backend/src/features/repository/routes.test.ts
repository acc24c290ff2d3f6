import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshApp } from '../../testing/app.ts'
import { freshProject, freshUser } from '../../testing/world.ts'

let app: Awaited<ReturnType<typeof freshApp>>
let token: string
let root: string

beforeAll(async () => {
  app = await freshApp()
  const account = { email: 'anna@example.org', username: 'anna', password: 'correct horse 1' }
  await app.call('/api/auth/register', { method: 'POST', body: account })
  const { body } = await app.call('/api/auth/login', {
    method: 'POST',
    body: { login: account.username, password: account.password },
  })
  token = body.accessToken
  const owner = { ...(await freshUser(app.db)), userId: body.user.id }
  const projectId = await freshProject(app.db, owner)
  await app.services.repository.provision(projectId)
  root = `/api/projects/${projectId}`
})
afterAll(() => app.close())

const get = (path: string) => app.call(`${root}${path}`, { token })

test('history, tree, file and diff are served without any sandbox', async () => {
  const branches = await get('/git/branches')
  expect(branches.body.items.map(({ name }: { name: string }) => name)).toEqual(['main'])
  const log = await get('/git/log?limit=1')
  expect(log.body).toMatchObject({
    items: [{ subject: 'chore: start from the react-vite template' }],
    nextCursor: null,
  })
  const tree = await get('/git/tree')
  expect(tree.body.items.map(({ path }: { path: string }) => path)).toContain('package.json')
  expect((await get('/git/file?path=package.json')).body).toMatchObject({ path: 'package.json', binary: false })
  const { sha } = log.body.items[0]
  expect((await get(`/git/diff?from=main&to=${sha}`)).body).toMatchObject({ from: sha, to: sha, files: [] })
})

test('words that mean something to git are refused as what they are', async () => {
  for (const path of [
    '/git/log?ref=--all',
    '/git/log?ref=main%0a--all',
    '/git/log?ref=$(id)',
    '/git/log?ref=HEAD',
    '/git/log?ref=main..main',
    '/git/log?ref=@%7B1%7D',
    '/git/diff?to=-O/tmp/x',
    '/git/tree?ref=refs/heads/main:src',
    '/git/file?path=../config',
    '/git/file?path=.git/config',
  ]) {
    const { status, body } = await get(path)
    expect([status, body.code], path).toEqual([422, 'invalid'])
  }
  expect((await get('/git/file?path=:(top)package.json')).status).toBe(404)
  expect((await get('/git/log?ref=refs/heads/main')).status).toBe(404)
})
