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

export function createLog({
  level = 'info',
  destination,
}: { level?: string; destination?: pino.DestinationStream } = {}): Log {
  return pino({ level, base: undefined, redact: { paths, censor: '[blanked]' } }, destination ?? pino.destination(2))
}
