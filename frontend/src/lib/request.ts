import { Refreshed } from '@guildhall/protocol/identity.ts'
import { Problem, type ProblemCode } from '@guildhall/protocol/problem.ts'
import type { z } from 'zod'

/** What the server (or the way to it) said no with. Match on `code`, show `message`. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(problem: Problem, options?: ErrorOptions) {
    super(problem.detail ?? problem.title, options)
    this.name = 'ProblemError'
    this.problem = problem
  }

  get code(): ProblemCode {
    return this.problem.code
  }
}

export const isProblem = (error: unknown, ...codes: ProblemCode[]): error is ProblemError =>
  error instanceof ProblemError && (codes.length === 0 || codes.includes(error.code))

/** One sentence for a person, whatever went wrong. */
export const messageOf = (error: unknown): string =>
  error instanceof ProblemError ? error.message : 'Something went wrong on this page. Reload it and try again.'

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  body?: unknown
  query?: Record<string, string | number | undefined>
  signal?: AbortSignal
  /** Carried out once however often it is sent, so it is sent again when its answer did not come. */
  once?: boolean
}

interface Dependencies {
  fetch: typeof globalThis.fetch
  now?: () => number
  /** Serialises refreshes between tabs: two tabs that send one refresh token at once look like a theft. */
  exclusively?: <T>(work: () => Promise<T>) => Promise<T>
  wait?: (ms: number) => Promise<void>
}

const EARLY_MS = 10_000
/** Waits before a request whose answer did not come is sent again: longer together than a restart takes. */
const AGAIN_MS = [500, 1_500, 4_000, 8_000]
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

const pathWith = (path: string, query: RequestOptions['query']): string => {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.set(key, String(value))
  return parameters.size > 0 ? `${path}?${parameters}` : path
}

async function problemOf(response: Response): Promise<ProblemError> {
  const parsed = Problem.safeParse(await response.json().catch(() => null))
  if (parsed.success) return new ProblemError(parsed.data)
  return new ProblemError({
    type: 'about:blank',
    title: `The server answered ${response.status}. Try again in a moment.`,
    status: response.status,
    code: response.status === 401 ? 'unauthenticated' : response.status < 500 ? 'bad_request' : 'unavailable',
  })
}

const unreachable = (cause: unknown) =>
  new ProblemError(
    { type: 'about:blank', title: 'Guildhall does not answer. Is it still running?', status: 0, code: 'unavailable' },
    { cause },
  )

/**
 * The typed way to the API. The access token lives in memory only; an old one is renewed by the refresh cookie, once
 * for all who wait. Throws `ProblemError`; an answer that breaks the contract throws zod's error.
 */
export function createHttpClient({
  fetch,
  now = Date.now,
  exclusively = (work) => work(),
  wait = pause,
}: Dependencies) {
  let token: { value: string; expiresAt: number } | null = null
  let refreshing: Promise<boolean> | null = null
  const signedOut = new Set<() => void>()

  const accept = (access: { accessToken: string; expiresIn: number }) => {
    token = { value: access.accessToken, expiresAt: now() + access.expiresIn * 1_000 }
  }

  async function send(path: string, options: RequestOptions, key?: string): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json', 'x-guildhall': '1' }
    if (token) headers.authorization = `Bearer ${token.value}`
    if (key) headers['idempotency-key'] = key
    if (options.body !== undefined) headers['content-type'] = 'application/json'
    try {
      return await fetch(pathWith(path, options.query), {
        method: options.method ?? 'GET',
        headers,
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        credentials: 'same-origin',
        signal: options.signal,
      })
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error
      throw unreachable(error)
    }
  }

  async function renew(): Promise<boolean> {
    const response = await exclusively(() => send('/api/auth/refresh', { method: 'POST' }))
    if (response.ok) {
      accept(Refreshed.parse(await response.json()))
      return true
    }
    const problem = await problemOf(response)
    if (response.status !== 401 && response.status !== 403) throw problem
    token = null
    for (const listener of signedOut) listener()
    return false
  }

  /** Answers false when nobody is signed in here any more. */
  function refresh(): Promise<boolean> {
    refreshing ??= renew().finally(() => {
      refreshing = null
    })
    return refreshing
  }

  async function answer(path: string, options: RequestOptions, key?: string): Promise<Response> {
    if (token && token.expiresAt - now() < EARLY_MS) await refresh()
    const sentWith = token
    const response = await send(path, options, key)
    if (response.status !== 401 || !sentWith) return response
    // Another request may have renewed the token while this one was under way.
    const renewed = token !== sentWith && token !== null ? true : await refresh()
    return renewed ? send(path, options, key) : response
  }

  /** All tries carry one key: whichever of them arrived, the server carries it out once and answers each alike. */
  async function answerOnce(path: string, options: RequestOptions): Promise<Response> {
    const key = crypto.randomUUID()
    for (const ms of AGAIN_MS) {
      const response = await answer(path, options, key).catch((error: unknown) => {
        if (!isProblem(error, 'unavailable')) throw error
      })
      // With the header it is not a conflict to be told, but the same request still under way.
      if (response && !(response.status === 409 && response.headers.has('retry-after'))) return response
      await wait(ms)
      options.signal?.throwIfAborted()
    }
    return answer(path, options, key)
  }

  return {
    accept,
    refresh,
    forget() {
      token = null
    },
    onSignedOut(listener: () => void): () => void {
      signedOut.add(listener)
      return () => signedOut.delete(listener)
    },
    async request<Schema extends z.ZodType>(
      schema: Schema,
      path: string,
      options: RequestOptions = {},
    ): Promise<z.output<Schema>> {
      const response = await (options.once ? answerOnce(path, options) : answer(path, options))
      if (!response.ok) throw await problemOf(response)
      const text = await response.text()
      return schema.parse(text === '' ? undefined : JSON.parse(text))
    },
  }
}

const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
  navigator.locks ? (navigator.locks.request('guildhall.refresh', work) as Promise<T>) : work()

export const http = createHttpClient({ fetch: (...call) => globalThis.fetch(...call), exclusively })
export const request = http.request
