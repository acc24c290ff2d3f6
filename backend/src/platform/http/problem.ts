import { STATUS_CODES } from 'node:http'
import type { Problem, ProblemCode } from '@guildhall/protocol/problem.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isDatabaseAway } from '../db/database.ts'
import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import { hasZodFastifySchemaValidationErrors } from './zod.ts'

const statusOf: Record<ProblemCode, number> = {
  bad_request: 400,
  unauthenticated: 401,
  over_budget: 402,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  stale: 409,
  gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  invalid: 422,
  no_model: 424,
  rate_limited: 429,
  internal: 500,
  no_engine: 503,
  unavailable: 503,
  disk_full: 507,
}

/** Seconds to wait where the failure names none. */
const defaultRetryAfterS: Partial<Record<ProblemCode, number>> = { no_engine: 30, unavailable: 5, rate_limited: 60 }

/** What Fastify itself refuses, by the status it would have answered. */
const codeOfStatus: Record<number, ProblemCode> = {
  400: 'bad_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
}

/** The RFC 9457 body of a failure that a caller can act on. */
export function asProblem(error: AppError, requestId?: string): Problem {
  const status = statusOf[error.code]
  return {
    type: `urn:guildhall:problem:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code: error.code,
    detail: error.code === 'internal' ? undefined : error.message,
    fields: error.fields,
    requestId,
  }
}

/** Turns anything that was thrown into an AppError; what nobody foresaw becomes a bare `internal`. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isDatabaseAway(error))
    return new AppError('unavailable', 'Guildhall is busy at the moment. Try again.', { cause: error })
  if (hasZodFastifySchemaValidationErrors(error)) return invalidInput(error)
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  const isRefusal = typeof status === 'number' && status >= 400 && status < 500
  const code = isRefusal ? (codeOfStatus[status] ?? 'bad_request') : undefined
  if (code && error instanceof Error) return new AppError(code, error.message, { cause: error })
  return new AppError('internal', 'Something went wrong', { cause: error })
}

function invalidInput(error: {
  validation: { instancePath: string; message?: string; params: unknown }[]
  validationContext?: string
}): AppError {
  const fields: Record<string, string> = {}
  for (const { instancePath, message = 'is not valid', params } of error.validation) {
    const path = instancePath.split('/').filter(Boolean).join('.')
    const unknownKeys = (params as { keys?: unknown }).keys
    // An unknown key is reported at its own path, where the caller looks for it.
    if (Array.isArray(unknownKeys)) {
      for (const key of unknownKeys) fields[[path, String(key)].filter(Boolean).join('.')] ??= 'is not known'
    } else fields[path || '(whole)'] ??= message
  }
  const part = error.validationContext === 'querystring' ? 'query' : (error.validationContext ?? 'input')
  return new AppError('invalid', `The ${part} is not valid: ${Object.keys(fields).join(', ')}`, { fields })
}

/** The one place that makes an error answer. Unknown failures are logged whole and answered bare. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const known = asAppError(error)
  if (known.code === 'internal') {
    log.error({ err: error, requestId: request.id, method: request.method, url: pathOf(request) }, 'request failed')
  }
  const problem = asProblem(known, request.id)
  const retryAfterS = known.retryAfterS ?? defaultRetryAfterS[known.code]
  if (retryAfterS !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', String(retryAfterS))
  // Sent as text: the route's own serializer is made for its answers, not for problems.
  return reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((payload: unknown) => JSON.stringify(payload))
    .send(problem)
}

/** The path without its query, which may hold a secret. */
export const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0]!
