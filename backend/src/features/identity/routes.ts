import { SessionId } from '@guildhall/protocol/ids.ts'
import {
  ChangePassword,
  LinkLogin,
  Login,
  Me,
  Refreshed,
  Register,
  Registered,
  Session,
  SignedIn,
  SignInOptions,
  UpdateProfile,
  WsTicket,
} from '@guildhall/protocol/identity.ts'
import { page } from '@guildhall/protocol/paging.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { AppError, forbidden } from '../../platform/errors.ts'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { Client, IdentityService, SessionGrant } from './service.ts'

const cookieName = '__Host-guildhall_refresh'
const cookieOptions = { path: '/', secure: true, httpOnly: true, sameSite: 'strict' } as const
const wsTicketTtlS = 30
const minuteMs = 60_000

export const identityRoutes: FastifyPluginAsyncZod<{ identity: IdentityService }> = async (app, { identity }) => {
  const open = { access: 'public' } as const
  const signedIn = { access: 'user' } as const
  const perAddress = { rateLimit: { max: 120, timeWindow: minuteMs } }
  const triesAt = app.createRateLimit({
    max: 20,
    timeWindow: minuteMs,
    keyGenerator: ({ body }) => `login:${(body as Login).login.toLowerCase()}`,
  })
  /** Slows guesses at one account, from however many addresses they come. */
  const perAccount = async (request: FastifyRequest) => {
    const tries = await triesAt(request)
    if (tries.isAllowed || !tries.isExceeded) return
    const retryAfterS = tries.ttlInSeconds
    throw new AppError('rate_limited', `Too many tries. Try again in ${retryAfterS} s.`, { retryAfterS })
  }

  function start(reply: FastifyReply, { signedIn, refreshToken, cookieMaxAgeS }: SessionGrant): SignedIn {
    reply.setCookie(cookieName, refreshToken, { ...cookieOptions, maxAge: cookieMaxAgeS ?? undefined })
    return signedIn
  }

  app.get(
    '/options',
    { config: open, schema: { summary: 'What the sign-in page may know', response: { 200: SignInOptions } } },
    async () => identity.options(),
  )
  app.post(
    '/register',
    {
      config: { ...open, ...perAddress },
      schema: { summary: 'Make an account', body: Register, response: { 201: Registered } },
    },
    async (request, reply) => {
      const user = await identity.register(request.body, clientOf(request))
      return reply.code(201).send({ user })
    },
  )
  app.post(
    '/login',
    {
      config: { ...open, ...perAddress },
      preHandler: perAccount,
      schema: { summary: 'Sign in by e-mail address or username', body: Login, response: { 200: SignedIn } },
    },
    async (request, reply) => start(reply, await identity.login(request.body, clientOf(request))),
  )
  app.post(
    '/link',
    {
      config: { ...open, ...perAddress },
      schema: { summary: 'Sign in by the printed link', body: LinkLogin, response: { 200: SignedIn } },
    },
    async (request, reply) => {
      if (!isFromThisMachine(request)) throw forbidden('The link works on the machine itself only')
      return start(reply, await identity.signInByLink(request.body.token, clientOf(request)))
    },
  )
  app.post(
    '/refresh',
    {
      config: open,
      schema: {
        summary: 'Next access token, by the cookie',
        headers: z.object({ 'x-guildhall': z.string().optional() }),
        response: { 200: Refreshed },
      },
    },
    async (request, reply) => {
      refuseForgedCookieUse(request)
      const grant = await identity.refresh(request.cookies[cookieName], clientOf(request)).catch((error: unknown) => {
        reply.clearCookie(cookieName, cookieOptions)
        throw error
      })
      return start(reply, grant)
    },
  )
  app.post(
    '/logout',
    { config: signedIn, schema: { summary: 'End this session', response: { 204: z.null() } } },
    async (request, reply) => {
      await identity.logout(request.actor, clientOf(request))
      return reply.clearCookie(cookieName, cookieOptions).code(204).send(null)
    },
  )
  app.get('/me', { config: signedIn, schema: { summary: 'Who you are', response: { 200: Me } } }, async ({ actor }) =>
    identity.me(actor),
  )
  app.put(
    '/profile',
    { config: signedIn, schema: { summary: 'Your name', body: UpdateProfile, response: { 200: Me } } },
    async ({ actor, body }) => identity.updateProfile(actor, body),
  )
  app.post(
    '/change-password',
    {
      config: { ...signedIn, ...perAddress },
      schema: {
        summary: 'Set a password; ends your other sessions',
        body: ChangePassword,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await identity.changePassword(request.actor, request.body, clientOf(request))
      return reply.code(204).send(null)
    },
  )
  app.post(
    '/ws-ticket',
    { config: signedIn, schema: { summary: 'A ticket for the first frame on /ws', response: { 200: WsTicket } } },
    async ({ actor: { userId, sessionId } }) => ({
      ticket: await identity.issueTicket({ kind: 'ws', userId, sessionId, ttlS: wsTicketTtlS }),
      expiresIn: wsTicketTtlS,
    }),
  )
  app.get(
    '/sessions',
    { config: signedIn, schema: { summary: 'Your devices', response: { 200: page(Session) } } },
    async ({ actor }) => ({ items: await identity.listSessions(actor), nextCursor: null }),
  )
  app.delete(
    '/sessions/:sessionId',
    {
      config: signedIn,
      schema: { summary: 'Sign a device out', params: z.object({ sessionId: SessionId }), response: { 204: z.null() } },
    },
    async (request, reply) => {
      await identity.revokeSession(request.actor, request.params.sessionId, clientOf(request))
      return reply.code(204).send(null)
    },
  )
}

export const clientOf = (request: FastifyRequest): Client => ({
  address: request.ip,
  userAgent: request.headers['user-agent'],
  requestId: request.id,
})

/** A page of another site can neither set this header nor read the answer; SameSite keeps the cookie from it as well. */
function refuseForgedCookieUse(request: FastifyRequest): void {
  if (request.headers['x-guildhall'] !== '1') throw forbidden('The header x-guildhall: 1 is missing')
}

/** True for a direct connection from loopback; one that a reverse proxy passed on says so in its headers. */
function isFromThisMachine(request: FastifyRequest): boolean {
  const { headers, raw } = request
  if (headers['x-forwarded-for'] || headers.forwarded || headers.via) return false
  return /^(::ffff:)?127\.|^::1$/.test(raw.socket.remoteAddress ?? '')
}
