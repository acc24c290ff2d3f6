import { z } from 'zod'
import { PlatformRole } from './actor.ts'
import { SessionId, Timestamp, UserId } from './ids.ts'

export const Username = z
  .string()
  .trim()
  .min(2)
  .max(32)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'letters, digits, - and _; starts with a letter or digit')
/** bcrypt reads 72 bytes; a longer password is refused, never cut. */
export const Password = z
  .string()
  .min(10, 'at least 10 characters')
  .refine((value) => new TextEncoder().encode(value).length <= 72, 'at most 72 bytes')

export const DisplayName = z.string().trim().min(1, 'a name is needed').max(80)

export const User = z.object({
  id: UserId,
  email: z.email().nullable(),
  username: z.string(),
  displayName: z.string(),
  role: PlatformRole,
  hasPassword: z.boolean(),
  createdAt: Timestamp,
})
export type User = z.infer<typeof User>

export const Register = z.strictObject({
  email: z.email().max(254),
  username: Username,
  password: Password,
  displayName: DisplayName.optional(),
})
export type Register = z.infer<typeof Register>
export const Registered = z.object({ user: User })

export const Login = z.strictObject({
  login: z.string().trim().min(1).max(254),
  password: z.string().min(1).max(200),
  rememberMe: z.boolean().default(false),
})
export type Login = z.infer<typeof Login>

/** The single-use link that `make start` and `make link` print. */
export const LinkLogin = z.strictObject({ token: z.string().min(20).max(200) })
export type LinkLogin = z.infer<typeof LinkLogin>

/** The refresh token travels beside this, in an HttpOnly cookie. `expiresIn` is in seconds. */
export const SignedIn = z.object({ accessToken: z.string(), expiresIn: z.int(), user: User })
export type SignedIn = z.infer<typeof SignedIn>

export const Refreshed = z.object({ accessToken: z.string(), expiresIn: z.int() })
export type Refreshed = z.infer<typeof Refreshed>

/** `currentPassword` may be left out only while the account has no password (the first admin). */
export const ChangePassword = z.strictObject({
  currentPassword: z.string().min(1).max(200).optional(),
  newPassword: Password,
})
export type ChangePassword = z.infer<typeof ChangePassword>

/** What a person may change about their own account here; anything else in the body is refused. */
export const UpdateProfile = z.strictObject({ displayName: DisplayName })
export type UpdateProfile = z.infer<typeof UpdateProfile>

export const Me = z.object({ user: User, registrationOpen: z.boolean() })
export type Me = z.infer<typeof Me>

export const Session = z.object({
  id: SessionId,
  device: z.string(),
  createdAt: Timestamp,
  lastSeenAt: Timestamp,
  current: z.boolean(),
})
export type Session = z.infer<typeof Session>

/** What a page may know before anyone is signed in. */
export const SignInOptions = z.object({ registrationOpen: z.boolean() })
export type SignInOptions = z.infer<typeof SignInOptions>

/** Single use, 30 s; the first frame on /ws carries it. */
export const WsTicket = z.object({ ticket: z.string(), expiresIn: z.int() })
export type WsTicket = z.infer<typeof WsTicket>
