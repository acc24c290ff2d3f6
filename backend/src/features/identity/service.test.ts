import { createHmac } from 'node:crypto'
import bcrypt from 'bcrypt'
import jwt from 'jsonwebtoken'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAppError } from '../../platform/errors.ts'
import { listEvents, userTopic } from '../../platform/events/events.ts'
import { createLog } from '../../platform/log.ts'
import { createPubSub } from '../../platform/pubsub/pubsub.ts'
import { freshDatabase, type TestDatabase } from '../../testing/database.ts'
import { createIdentityService, type IdentityService, type SessionGrant } from './service.ts'

const client = { address: '127.0.0.1', userAgent: 'Mozilla/5.0 (X11; Linux) Chrome/140', requestId: 'r' }
const jwtSecret = 'a secret of this test, long enough'
const pubsub = createPubSub({ log: createLog({ level: 'silent' }) })
const password = 'correct horse battery'
let database: TestDatabase
let identity: IdentityService

const make = (registration: 'open' | 'closed') =>
  createIdentityService({ db: database.db, pubsub, jwtSecret, registration })

beforeAll(async () => {
  database = await freshDatabase()
  identity = make('open')
})
afterAll(async () => {
  identity.close()
  await pubsub.close()
  await database.close()
})

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  )
let count = 0
async function person() {
  const username = `Ada-${++count}`
  const input = { email: `Ada${count}@Example.com`, username, password }
  const user = await identity.register(input, client)
  return { user, input, signIn: () => identity.login({ login: username, password, rememberMe: false }, client) }
}
const actorOf = async ({ signedIn }: SessionGrant) => (await identity.actorOf(signedIn.accessToken))!

describe('registering', () => {
  // Twenty bcrypt hashes: seconds on a busy machine.
  test('twenty at once with one name make one account, and no hash leaves the house', { timeout: 90_000 }, async () => {
    const input = { email: 'race@example.com', username: 'race', password }
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        codeOf(identity.register(n % 2 ? input : { ...input, username: 'RACE', email: `RACE@example.com` }, client)),
      ),
    )
    expect(results.filter((result) => result === 'done')).toHaveLength(1)
    expect(results.filter((result) => result === 'conflict')).toHaveLength(19)
    const { user } = await person()
    expect(JSON.stringify(user)).not.toContain('$2')
    expect(user).toMatchObject({ role: 'user', hasPassword: true })
  })

  test('is refused while it is closed', async () => {
    const closed = make('closed')
    const input = { email: 'x@example.com', username: 'xavier', password }
    expect(await codeOf(closed.register(input, client))).toBe('forbidden')
    expect(closed.options()).toEqual({ registrationOpen: false })
    closed.close()
  })

  test('stores bcrypt at cost 12', async () => {
    const { user } = await person()
    const { rows } = await database.db.system((tx) =>
      tx.execute<{ password_hash: string }>(`select password_hash from users where id = '${user.id}'`),
    )
    expect(rows[0]!.password_hash).toMatch(/^\$2b\$12\$/)
    expect(bcrypt.getRounds(rows[0]!.password_hash)).toBe(12)
  })
})

describe('signing in', () => {
  test('works by username and by address in any case, and says who it is', async () => {
    const { input, user } = await person()
    for (const login of [input.username.toUpperCase(), input.email.toLowerCase()]) {
      const granted = await identity.login({ login, password, rememberMe: true }, client)
      expect(granted).toMatchObject({ signedIn: { user: { id: user.id }, expiresIn: 900 }, cookieMaxAgeS: 2_592_000 })
      expect(await actorOf(granted)).toMatchObject({ kind: 'user', userId: user.id, role: 'user' })
    }
  })

  test('answers an unknown login and a wrong password alike and after the same time', { timeout: 90_000 }, async () => {
    const { input } = await person()
    const tries = { known: [] as number[], unknown: [] as number[] }
    const messages = new Set<string>()
    for (let n = 0; n < 6; n++) {
      for (const [kind, login] of [
        ['known', input.username],
        ['unknown', `nobody-${n}`],
      ] as const) {
        const began = performance.now()
        await identity
          .login({ login, password: 'wrong password', rememberMe: false }, client)
          .catch((error: Error) => messages.add(error.message))
        tries[kind].push(performance.now() - began)
      }
    }
    const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
    expect([...messages]).toEqual(['Wrong login or password'])
    expect(median(tries.unknown) / median(tries.known)).toBeGreaterThan(0.6)
    expect(median(tries.unknown) / median(tries.known)).toBeLessThan(1.6)
  })

  test('tokens that are forged, foreign, of another kind or expired speak for nobody', async () => {
    const { signIn } = await person()
    const { accessToken } = (await signIn()).signedIn
    const claims = jwt.decode(accessToken) as Record<string, unknown>
    const sign = (changes: Record<string, unknown>, key = jwtSecret, algorithm: jwt.Algorithm = 'HS256') =>
      jwt.sign({ ...claims, ...changes }, key, { algorithm })
    const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const none = `${b64({ alg: 'none', typ: 'JWT' })}.${b64(claims)}.`
    const array = `${b64({ alg: 'HS256' })}.${b64([claims])}`
    const signedArray = `${array}.${createHmac('sha256', jwtSecret).update(array).digest('base64url')}`
    const [head, body, mark] = accessToken.split('.')
    const forged = [
      none,
      signedArray,
      sign({}, 'another key'),
      sign({}, jwtSecret, 'HS512'),
      sign({ aud: 'somebody else' }),
      sign({ aud: ['guildhall-api', 'other'] }),
      sign({ iss: ['guildhall'] }),
      sign({ iss: 'other' }),
      sign({ typ: 'refresh' }),
      sign({ exp: 1 }),
      sign({ sub: 'admin' }),
      sign({ sub: '01900000-0000-7000-8000-000000000001' }),
      `${head}.${body}.${mark!.slice(0, -2)}`,
      `${accessToken}.x`,
      '',
      'garbage',
      'x'.repeat(100_000),
    ]
    for (const token of forged) expect(await identity.actorOf(token)).toBeNull()
    expect(await identity.actorOf(sign({}))).not.toBeNull()
  })
})

describe('a session', () => {
  test('refreshes once a token; of twenty at once one wins, and a late replay ends it', async () => {
    const { signIn } = await person()
    const first = await signIn()
    const second = await identity.refresh(first.refreshToken, client)
    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(await identity.actorOf(second.signedIn.accessToken)).not.toBeNull()
    expect(await codeOf(identity.refresh(first.refreshToken, client))).toBe('unauthenticated')
    expect(await codeOf(identity.refresh(second.refreshToken, client))).toBe('unauthenticated')
    expect(await identity.actorOf(second.signedIn.accessToken)).toBeNull()

    const other = await signIn()
    const race = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(identity.refresh(other.refreshToken, client))),
    )
    expect(race.filter((result) => result === 'done')).toHaveLength(1)
  })

  test('ends at once on logout, and the log says so', async () => {
    const { signIn, user } = await person()
    const granted = await signIn()
    const actor = await actorOf(granted)
    await identity.logout(actor, client)
    expect(await identity.actorOf(granted.signedIn.accessToken)).toBeNull()
    expect(await codeOf(identity.refresh(granted.refreshToken, client))).toBe('unauthenticated')
    const events = await database.db.as(actor, (tx) => listEvents(tx, userTopic(user.id), 0, 10))
    expect(events.map(({ type, data }) => ({ type, data }))).toEqual([
      { type: 'session.revoked', data: { sessionId: actor.sessionId } },
    ])
  })

  test('of another device is listed and can be ended; a stranger cannot', async () => {
    const [one, stranger] = [await person(), await person()]
    const [here, there] = [await one.signIn(), await one.signIn()]
    const actor = await actorOf(here)
    const other = await actorOf(there)
    const listed = await identity.listSessions(actor)
    expect(listed.map(({ current, device }) => [current, device]).sort()).toEqual([
      [false, 'Chrome on Linux'],
      [true, 'Chrome on Linux'],
    ])
    const foreign = await actorOf(await stranger.signIn())
    expect(await codeOf(identity.revokeSession(foreign, other.sessionId, client))).toBe('not_found')
    await identity.revokeSession(actor, other.sessionId, client)
    expect(await identity.actorOf(there.signedIn.accessToken)).toBeNull()
    expect(await identity.actorOf(here.signedIn.accessToken)).not.toBeNull()
  })

  test('may change the name its person goes by, and nobody else’s', async () => {
    const [ada, eve] = [await person(), await person()]
    const actor = await actorOf(await ada.signIn())
    const { user } = await identity.updateProfile(actor, { displayName: 'Ada Lovelace' })
    expect(user).toEqual({ ...ada.user, displayName: 'Ada Lovelace' })
    expect(await identity.nameOf(ada.user.id)).toBe('Ada Lovelace')
    expect(await identity.nameOf(eve.user.id)).toBe(eve.user.displayName)
  })

  test('of every other device ends when the password changes', async () => {
    const { signIn, user } = await person()
    const [here, there] = [await signIn(), await signIn()]
    const actor = await actorOf(here)
    const change = (currentPassword: string) =>
      identity.changePassword(actor, { currentPassword, newPassword: 'another long one' }, client)
    expect(await codeOf(change('wrong one here'))).toBe('invalid')
    await change(password)
    expect(await identity.actorOf(there.signedIn.accessToken)).toBeNull()
    expect(await identity.actorOf(here.signedIn.accessToken)).not.toBeNull()
    expect(await codeOf(signIn())).toBe('unauthenticated')
    const login = { login: user.username, password: 'another long one', rememberMe: false }
    expect(await codeOf(identity.login(login, client))).toBe('done')
  })
})

describe('single-use secrets', () => {
  test('the sign-in link lets the first administrator in once, until a password is set', async () => {
    const old = (await identity.createLink())!
    const token = (await identity.createLink({ onlyWithoutPassword: true }))!
    expect(await codeOf(identity.signInByLink(old, client))).toBe('gone')
    const granted = await identity.signInByLink(token, client)
    expect(granted.signedIn.user).toMatchObject({ username: 'admin', role: 'admin', hasPassword: false })
    expect(await codeOf(identity.signInByLink(token, client))).toBe('gone')
    const actor = await actorOf(granted)
    expect(actor.role).toBe('admin')
    await identity.changePassword(actor, { newPassword: 'the first password' }, client)
    expect(await identity.createLink({ onlyWithoutPassword: true })).toBeNull()
  })

  test('a ticket works once, for its own kind, in its time', async () => {
    const { userId, sessionId } = await actorOf(await (await person()).signIn())
    const issue = (ttlS: number) => identity.issueTicket({ kind: 'ws', userId, sessionId, data: { a: 'b' }, ttlS })
    const ticket = await issue(30)
    expect(await identity.takeTicket('preview', ticket)).toBeNull()
    const taken = await Promise.all(Array.from({ length: 5 }, () => identity.takeTicket('ws', ticket)))
    expect(taken.filter(Boolean)).toMatchObject([{ userId, sessionId, data: { a: 'b' } }])
    expect(await identity.takeTicket('ws', await issue(-1))).toBeNull()
    const { rows } = await database.db.system((tx) => tx.execute(`select * from tickets where hash = '${ticket}'`))
    expect(rows).toEqual([])
  })

  test('what happened is in the audit log, refused tries too', async () => {
    const { signIn, user } = await person()
    await signIn()
    await codeOf(identity.login({ login: user.username, password: 'wrong', rememberMe: false }, client))
    const { rows } = await database.db.system((tx) =>
      tx.execute(`select action, result, address from audit_log where actor_id = '${user.id}' order by at`),
    )
    expect(rows).toEqual([
      { action: 'auth.register', result: 'ok', address: '127.0.0.1' },
      { action: 'auth.login', result: 'ok', address: '127.0.0.1' },
      { action: 'auth.login', result: 'refused', address: '127.0.0.1' },
    ])
  })
})
