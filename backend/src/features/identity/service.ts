import type { SessionId, UserId } from '@guildhall/protocol/ids.ts'
import type {
  ChangePassword,
  Login,
  Me,
  Register,
  Session,
  SignedIn,
  SignInOptions,
  UpdateProfile,
  User,
} from '@guildhall/protocol/identity.ts'
import bcrypt from 'bcrypt'
import type { Database, Db } from '../../platform/db/database.ts'
import { AppError, forbidden, invalid, notFound, unauthenticated } from '../../platform/errors.ts'
import { appendEvent, userTopic } from '../../platform/events/events.ts'
import { newId } from '../../platform/ids.ts'
import type { PubSub } from '../../platform/pubsub/pubsub.ts'
import { auditAuth, type Client } from './audit.ts'
import { deviceName } from './device.ts'
import { createSessionCache } from './session-cache.ts'
import {
  deleteLinks,
  findFirstAdmin,
  findLiveSession,
  findUser,
  findUserByLogin,
  insertSession,
  insertTicket,
  insertUser,
  listSessions,
  type Person,
  revokeSessions,
  rotateSession,
  takeTicket,
  type TicketRow,
  toUser,
  updateDisplayName,
  updatePassword,
  type UserRow,
} from './store.ts'
import {
  accessTokenS,
  hashOf,
  randomSecret,
  readAccessToken,
  readRefreshToken,
  refreshTokenOf,
  signAccessToken,
} from './tokens.ts'

export type { Client } from './audit.ts'
export type { Person } from './store.ts'

const bcryptCost = 12
const linkTtlS = 15 * 60
const dayMs = 24 * 3_600_000

/** What a door needs to answer a sign-in: the body, and the cookie's value and life (null = until the browser closes). */
export interface SessionGrant {
  signedIn: SignedIn
  refreshToken: string
  cookieMaxAgeS: number | null
}

/** A single-use ticket that was just taken. */
export type Ticket = Pick<TicketRow, 'userId' | 'sessionId' | 'data'>

export function createIdentityService({
  db,
  pubsub,
  jwtSecret,
  registration,
}: {
  db: Database
  pubsub: PubSub
  jwtSecret: string
  registration: 'open' | 'closed'
}) {
  const registrationOpen = registration === 'open'
  const sessions = createSessionCache({
    pubsub,
    find: (sessionId) => db.anonymous((tx) => sessionActor(tx, sessionId)),
  })
  // Compared with when the login is unknown, so that both answers take the same time.
  const nobodysHash = bcrypt.hash(randomSecret(), bcryptCost)

  /** Starts a session in `tx`, which sees the user's own rows or is anonymous. */
  async function startSession(tx: Db, user: UserRow, client: Client, rememberMe: boolean): Promise<SessionGrant> {
    const id = newId<SessionId>()
    const secret = randomSecret()
    const device = deviceName(client.userAgent)
    await insertSession(tx, {
      id,
      userId: user.id,
      refreshHash: hashOf(secret),
      device,
      rememberMe,
      expiresAt: expiry(rememberMe),
    })
    return grant(user, id, secret, rememberMe)
  }

  function grant(user: UserRow, sessionId: SessionId, secret: string, rememberMe: boolean): SessionGrant {
    const accessToken = signAccessToken(jwtSecret, { userId: user.id, sessionId })
    return {
      signedIn: { accessToken, expiresIn: accessTokenS, user: toUser(user) },
      refreshToken: refreshTokenOf(sessionId, secret),
      cookieMaxAgeS: rememberMe ? lifeMs(true) / 1000 : null,
    }
  }

  /** Ends sessions and tells everyone who holds one: the log in this transaction, other processes right after. */
  async function endSessions(
    actor: Person,
    which: { only: SessionId } | { allBut: SessionId },
    client: Client,
    action: string,
  ) {
    const ended = await db.as(actor, async (tx) => {
      const ids = await revokeSessions(tx, actor.userId, which)
      for (const id of ids) await auditAuth(tx, client, { action, userId: actor.userId, targetId: id })
      for (const sessionId of ids) {
        await appendEvent(tx, userTopic(actor.userId), { type: 'session.revoked', actor, data: { sessionId } })
      }
      return ids
    })
    for (const id of ended) await sessions.purge(id)
    return ended
  }

  async function me(actor: Person): Promise<Me> {
    const user = await db.as(actor, (tx) => findUser(tx, actor.userId))
    if (!user) throw unauthenticated()
    return { user: toUser(user), registrationOpen }
  }

  return {
    options: (): SignInOptions => ({ registrationOpen }),
    me,

    /** Throws `forbidden` while registration is closed, `conflict` when the address or the name is taken. */
    async register(input: Register, client: Client): Promise<User> {
      if (!registrationOpen) throw forbidden('Registration is closed here. Ask the administrator for an account.')
      const passwordHash = await bcrypt.hash(input.password, bcryptCost)
      const { email, username, displayName = username } = input
      try {
        return await db.anonymous(async (tx) => {
          const user = await insertUser(tx, { email, username, displayName, passwordHash })
          await auditAuth(tx, client, { action: 'register', userId: user.id })
          return toUser(user)
        })
      } catch (error) {
        const constraint = uniqueConstraintOf(error)
        if (!constraint) throw error
        const field = constraint === 'users_email' ? 'email' : 'username'
        throw new AppError('conflict', `This ${field} is taken`, { fields: { [field]: 'is taken' }, cause: error })
      }
    },

    /** Throws `unauthenticated`, the same way and after the same time for an unknown login and a wrong password. */
    async login(input: Login, client: Client): Promise<SessionGrant> {
      const user = await db.anonymous((tx) => findUserByLogin(tx, input.login))
      const matches = await bcrypt.compare(input.password, user?.passwordHash ?? (await nobodysHash))
      const userId = user?.id ?? null
      if (!user?.isActive || !matches) {
        await db.anonymous((tx) => auditAuth(tx, client, { action: 'login', userId, result: 'refused' }))
        throw unauthenticated('Wrong login or password')
      }
      return db.anonymous(async (tx) => {
        await auditAuth(tx, client, { action: 'login', userId })
        return startSession(tx, user, client, input.rememberMe)
      })
    },

    /** Trades the single-use link for a session. Throws `gone` when it was used, is too old or never was. */
    async signInByLink(token: string, client: Client): Promise<SessionGrant> {
      return db.anonymous(async (tx) => {
        const ticket = await takeTicket(tx, 'link', hashOf(token))
        const user = ticket && (await findUser(tx, ticket.userId))
        if (!user?.isActive) throw new AppError('gone', 'This link was used or is too old. Print a new one: make link')
        await auditAuth(tx, client, { action: 'link', userId: user.id })
        return startSession(tx, user, client, true)
      })
    },

    /**
     * A fresh access token and the next refresh token. A refresh token works once: an old one that comes back was
     * copied, so its session ends for everybody. Throws `unauthenticated`.
     */
    async refresh(refreshToken: string | undefined, client: Client): Promise<SessionGrant> {
      const held = readRefreshToken(refreshToken ?? '')
      if (!held) throw unauthenticated()
      const secret = randomSecret()
      const session = await db.anonymous((tx) => findLiveSession(tx, held.sessionId))
      if (!session) throw unauthenticated('This session has ended')
      const rotated = await db.anonymous(async (tx) => {
        const user = await findUser(tx, session.userId)
        const swap = { from: hashOf(held.secret), to: hashOf(secret), expiresAt: expiry(session.rememberMe) }
        const row = user?.isActive ? await rotateSession(tx, session.id, swap) : null
        return row && user
      })
      if (rotated) return grant(rotated, session.id, secret, session.rememberMe)
      const owner: Person = { kind: 'user', userId: session.userId, sessionId: session.id, role: 'user' }
      await endSessions(owner, { only: session.id }, client, 'refresh.replayed')
      throw unauthenticated('This session has ended')
    },

    async logout(actor: Person, client: Client): Promise<void> {
      await endSessions(actor, { only: actor.sessionId }, client, 'logout')
    },

    /** Answers the account as it is now. What was said before keeps the name it was said under. */
    async updateProfile(actor: Person, { displayName }: UpdateProfile): Promise<Me> {
      await db.as(actor, (tx) => updateDisplayName(tx, actor.userId, displayName))
      return me(actor)
    },

    /** Ends every other session. The first password needs no current one; after it the sign-in link stops. */
    async changePassword(actor: Person, input: ChangePassword, client: Client): Promise<void> {
      const user = await db.as(actor, (tx) => findUser(tx, actor.userId))
      if (!user) throw unauthenticated()
      if (user.passwordHash) {
        const matches = await bcrypt.compare(input.currentPassword ?? '', user.passwordHash)
        if (!matches) throw invalid('The current password is wrong', { currentPassword: 'is wrong' })
      }
      const passwordHash = await bcrypt.hash(input.newPassword, bcryptCost)
      await db.as(actor, async (tx) => {
        await updatePassword(tx, actor.userId, passwordHash)
        await deleteLinks(tx, actor.userId)
        await auditAuth(tx, client, { action: 'password.changed', userId: actor.userId })
      })
      await endSessions(actor, { allBut: actor.sessionId }, client, 'session.revoked')
    },

    listSessions: (actor: Person): Promise<Session[]> =>
      db.as(actor, (tx) => listSessions(tx, actor.userId, actor.sessionId)),

    /** Throws `not_found` for a session that is not the caller's own or has ended. */
    async revokeSession(actor: Person, sessionId: SessionId, client: Client): Promise<void> {
      const ended = await endSessions(actor, { only: sessionId }, client, 'session.revoked')
      if (ended.length === 0) throw notFound('Session')
    },

    /** Who an access token speaks for, while its session is live. A revoked one is refused at once in this process, in
     * others with the next message, at the latest after 5 s. */
    async actorOf(accessToken: string): Promise<Person | null> {
      const claims = readAccessToken(jwtSecret, accessToken)
      if (!claims) return null
      const actor = await sessions.actor(claims.sid)
      return actor?.userId === claims.sub ? actor : null
    },

    /** The name a person goes by. Throws `not_found`. */
    async nameOf(userId: UserId): Promise<string> {
      const user = await db.anonymous((tx) => findUser(tx, userId))
      if (!user) throw notFound('User')
      return user.displayName
    },

    /** Who a live session stands for. */
    actorOfSession: (sessionId: SessionId): Promise<Person | null> => sessions.actor(sessionId),

    /** A secret that works once, within `ttlS` seconds; only its hash is kept. */
    async issueTicket(ticket: {
      kind: 'ws' | 'preview'
      userId: UserId
      sessionId: SessionId
      data?: Record<string, string>
      ttlS: number
    }): Promise<string> {
      const { kind, userId, sessionId, data = {}, ttlS } = ticket
      const secret = randomSecret()
      const expiresAt = new Date(Date.now() + ttlS * 1000)
      await db.as({ kind: 'user', userId, sessionId, role: 'user' }, (tx) =>
        insertTicket(tx, { hash: hashOf(secret), kind, userId, sessionId, data, expiresAt }),
      )
      return secret
    },

    /** Null when it was used, is too old, or never was. */
    takeTicket: (kind: 'ws' | 'preview', ticket: string): Promise<Ticket | null> =>
      db.anonymous((tx) => takeTicket(tx, kind, hashOf(ticket))),

    /**
     * A fresh sign-in link for the first administrator; earlier ones stop working. With `onlyWithoutPassword` null is
     * answered once a password is set.
     */
    async createLink({ onlyWithoutPassword = false } = {}): Promise<string | null> {
      return db.system(async (tx) => {
        const admin = await findFirstAdmin(tx)
        if (!admin) throw new Error('There is no administrator; the seed makes one')
        if (onlyWithoutPassword && admin.passwordHash) return null
        const token = randomSecret()
        const expiresAt = new Date(Date.now() + linkTtlS * 1000)
        await deleteLinks(tx, admin.id)
        await insertTicket(tx, { hash: hashOf(token), kind: 'link', userId: admin.id, data: {}, expiresAt })
        return token
      })
    },

    close: () => sessions.close(),
  }
}
export type IdentityService = ReturnType<typeof createIdentityService>

const lifeMs = (rememberMe: boolean) => (rememberMe ? 30 : 1) * dayMs
const expiry = (rememberMe: boolean) => new Date(Date.now() + lifeMs(rememberMe))

async function sessionActor(tx: Db, sessionId: SessionId): Promise<Person | null> {
  const session = await findLiveSession(tx, sessionId)
  const user = session && (await findUser(tx, session.userId))
  return user?.isActive ? { kind: 'user', userId: user.id, sessionId, role: user.role } : null
}

/** The constraint's name when the database refused a duplicate. drizzle wraps the driver's error. */
function uniqueConstraintOf(error: unknown): string | null {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code, constraint } = cause as { code?: string; constraint?: string }
  return code === '23505' ? (constraint ?? '') : null
}
