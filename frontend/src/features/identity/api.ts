import {
  type ChangePassword,
  type LinkLogin,
  type Login,
  Me,
  type Register,
  Registered,
  Session,
  SignedIn,
  SignInOptions,
  type UpdateProfile,
  type User,
  WsTicket,
} from '@guildhall/protocol/identity.ts'
import { page } from '@guildhall/protocol/paging.ts'
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

export async function updateProfile(body: UpdateProfile): Promise<void> {
  const { user } = await request(Me, '/api/auth/profile', { method: 'PUT', body })
  become(user)
}

export const sessionKeys = ['identity', 'sessions'] as const

/** Where this account is signed in. */
export const sessionList = () =>
  queryOptions({
    queryKey: sessionKeys,
    queryFn: async ({ signal }) => (await request(page(Session), '/api/auth/sessions', { signal })).items,
    staleTime: 0,
  })

export const revokeSession = (sessionId: string) =>
  request(z.unknown(), `/api/auth/sessions/${sessionId}`, { method: 'DELETE' })

/** Every other session first, then this one. One that ended by itself meanwhile is fine. */
export async function signOutEverywhere(): Promise<void> {
  const { items } = await request(page(Session), '/api/auth/sessions')
  for (const { id, current } of items) {
    if (current) continue
    try {
      await revokeSession(id)
    } catch (error) {
      if (!isProblem(error, 'not_found')) throw error
    }
  }
  await signOut()
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
