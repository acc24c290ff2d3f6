import {
  type ChangePassword,
  type LinkLogin,
  type Login,
  Me,
  type Register,
  Registered,
  SignedIn,
  SignInOptions,
  type User,
  WsTicket,
} from '@guildhall/protocol/identity.ts'
import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { create } from 'zustand'
import { http, isProblem, request } from '../../lib/request.ts'

type SessionState =
  { status: 'unknown'; user: null; error: unknown } | { status: 'out'; user: null } | { status: 'in'; user: User }

/** Who is here. `unknown` until the refresh cookie has been tried. */
export const useSession = create<SessionState>(() => ({ status: 'unknown', user: null, error: null }))

/** Not a secret: only says that a refresh cookie is worth trying, so that a stranger's first visit asks nothing. */
const mark = 'guildhall.signed-in'

const become = (user: User) => {
  localStorage.setItem(mark, '1')
  useSession.setState({ status: 'in', user }, true)
}
const leave = () => {
  http.forget()
  localStorage.removeItem(mark)
  useSession.setState({ status: 'out', user: null }, true)
}
http.onSignedOut(leave)

export const signInOptions = () =>
  queryOptions({
    queryKey: ['identity', 'options'],
    queryFn: ({ signal }) => request(SignInOptions, '/api/auth/options', { signal }),
    staleTime: 60_000,
  })

/** Tries the refresh cookie once at the start of the page. */
export async function restoreSession(): Promise<void> {
  if (!localStorage.getItem(mark)) return leave()
  try {
    if (!(await http.refresh())) return
    const { user } = await request(Me, '/api/auth/me')
    become(user)
  } catch (error) {
    if (isProblem(error, 'unauthenticated', 'forbidden')) leave()
    else useSession.setState({ status: 'unknown', user: null, error }, true)
  }
}

const enter = async (path: string, body: Login | LinkLogin): Promise<User> => {
  http.forget()
  const signedIn = await request(SignedIn, path, { method: 'POST', body })
  http.accept(signedIn)
  become(signedIn.user)
  return signedIn.user
}

export const signIn = (body: Login): Promise<User> => enter('/api/auth/login', body)

const links = new Map<string, Promise<User>>()
/** A link works once, so the same token is sent once however often the page asks. */
export function signInByLink(token: string): Promise<User> {
  const known = links.get(token)
  if (known) return known
  const attempt = enter('/api/auth/link', { token })
  links.set(token, attempt)
  return attempt
}

/** Registers, then signs in with the same words. */
export async function createAccount(body: Register): Promise<User> {
  await request(Registered, '/api/auth/register', { method: 'POST', body })
  return signIn({ login: body.email, password: body.password, rememberMe: true })
}

export async function changePassword(body: ChangePassword): Promise<void> {
  await request(z.unknown(), '/api/auth/change-password', { method: 'POST', body })
  const { user } = await request(Me, '/api/auth/me')
  become(user)
}

export async function signOut(): Promise<void> {
  try {
    await request(z.unknown(), '/api/auth/logout', { method: 'POST' })
  } finally {
    leave()
  }
}

export const wsTicket = async (): Promise<string> =>
  (await request(WsTicket, '/api/auth/ws-ticket', { method: 'POST' })).ticket
