import type { ProblemCode } from '@guildhall/protocol/problem.ts'

/** A failure the caller can act on. Anything else that is thrown is a bug. */
export class AppError extends Error {
  readonly code: ProblemCode
  readonly fields: Record<string, string> | undefined
  /** Seconds, for the Retry-After header. */
  readonly retryAfterS: number | undefined

  constructor(
    code: ProblemCode,
    detail: string,
    options: { fields?: Record<string, string>; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.fields = options.fields
    this.retryAfterS = options.retryAfterS
  }
}

export const notFound = (what: string) => new AppError('not_found', `${what} does not exist`)
export const forbidden = (detail = 'You may not do this') => new AppError('forbidden', detail)
export const unauthenticated = (detail = 'Sign in first') => new AppError('unauthenticated', detail)
export const conflict = (detail: string) => new AppError('conflict', detail)
export const stale = (detail: string) => new AppError('stale', detail)
export const badCursor = () => new AppError('bad_request', 'This is no cursor of this list')
export const invalid = (detail: string, fields?: Record<string, string>) => new AppError('invalid', detail, { fields })

export const isAppError = (error: unknown, code?: ProblemCode): error is AppError =>
  error instanceof AppError && (code === undefined || error.code === code)
