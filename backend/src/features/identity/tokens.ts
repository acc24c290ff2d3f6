import { createHash, randomBytes } from 'node:crypto'
import { SessionId, UserId } from '@guildhall/protocol/ids.ts'
import jwt from 'jsonwebtoken'
import { z } from 'zod'

export const accessTokenS = 15 * 60
const issuer = 'guildhall'
const audience = 'guildhall-api'

const Claims = z.object({
  iss: z.literal(issuer),
  aud: z.literal(audience),
  typ: z.literal('access'),
  sub: UserId,
  sid: SessionId,
  exp: z.int(),
  iat: z.int(),
})
export type Claims = z.infer<typeof Claims>

export function signAccessToken(
  secret: string,
  { userId, sessionId }: { userId: UserId; sessionId: SessionId },
): string {
  return jwt.sign({ typ: 'access', sid: sessionId }, secret, {
    algorithm: 'HS256',
    issuer,
    audience,
    subject: userId,
    expiresIn: accessTokenS,
  })
}

/** The claims of a token that is ours, fresh and whole; null for anything else. One algorithm, every claim required. */
export function readAccessToken(secret: string, token: string): Claims | null {
  if (token.length > 2_000) return null
  try {
    const payload = jwt.verify(token, secret, { algorithms: ['HS256'], issuer, audience })
    const claims = Claims.safeParse(payload)
    return claims.success ? claims.data : null
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError || error instanceof SyntaxError) return null
    throw error
  }
}

/** 256 random bits; only the hash of it is ever stored. */
export const randomSecret = (): string => randomBytes(32).toString('base64url')
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** What the cookie holds: which session, and the secret that proves it. */
export const refreshTokenOf = (sessionId: SessionId, secret: string): string => `${sessionId}.${secret}`
export function readRefreshToken(token: string): { sessionId: SessionId; secret: string } | null {
  const dot = token.indexOf('.')
  const sessionId = SessionId.safeParse(token.slice(0, Math.max(dot, 0)))
  const secret = token.slice(dot + 1)
  return sessionId.success && secret.length === 43 ? { sessionId: sessionId.data, secret } : null
}
