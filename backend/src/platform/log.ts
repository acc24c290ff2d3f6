import { pino } from 'pino'

/** Names whose values never reach a log line, at any depth up to three. */
const secretNames = [
  'password',
  'newPassword',
  'currentPassword',
  'token',
  'ticket',
  'accessToken',
  'refreshToken',
  'authorization',
  'cookie',
  'apiKey',
]
const paths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])

export type Log = pino.Logger

type LoggedError = ReturnType<typeof pino.stdSerializers.err>

/** drizzle puts the values of a failed query into its message: hashes, addresses, whole files. The query is enough. */
const withoutValues = (text: string) =>
  text.replace(/\nparams: [^]*?(?=\n {4}at |\ncaused by: |$)/g, '\nparams: [blanked]')

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { message, stack, type, code } = pino.stdSerializers.err(error) as LoggedError & { code?: unknown }
  return { type, code, message: withoutValues(message), stack: withoutValues(stack) }
}

export function createLog({
  level = 'info',
  destination,
}: { level?: string; destination?: pino.DestinationStream } = {}): Log {
  return pino(
    { level, base: undefined, serializers: { err: serializeError }, redact: { paths, censor: '[blanked]' } },
    destination ?? pino.destination(2),
  )
}
