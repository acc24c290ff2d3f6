const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
const clockSeconds = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const grouped = new Intl.NumberFormat('en', { useGrouping: true })

export const clockTime = (iso: string | number): string => clock.format(new Date(iso))
export const clockTimeSeconds = (iso: string | number): string => clockSeconds.format(new Date(iso))

/** "1 284": thin groups, as the log's numbers are written everywhere. */
export const groupedNumber = (value: number): string => grouped.format(value).replaceAll(',', '\u2009')

/** "2 min ago", "yesterday", "3 Nov". */
export function ago(iso: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(iso)) / 1_000)
  if (seconds < 45) return 'just now'
  if (seconds < 3_600) return `${Math.max(1, Math.round(seconds / 60))} min ago`
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`
  if (seconds < 2 * 86_400) return 'yesterday'
  return day.format(new Date(iso))
}

/** Dollars with two places, or four while the sum is below a cent. Takes the API's decimal string. */
export function dollars(costUsd: string): string {
  const value = Number(costUsd)
  return `$${value > 0 && value < 0.01 ? value.toFixed(4) : value.toFixed(2)}`
}

export const duration = (milliseconds: number): string => {
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1_000)
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

export const shortSha = (sha: string): string => sha.slice(0, 7)

/** `agent/engineer/basket-api` → `basket-api`; the lane's colour already says the role. */
export const shortBranch = (name: string): string => name.replace(/^agent\/[^/]+\//, '')

export const bytes = (sizeBytes: number): string =>
  sizeBytes < 1_024
    ? `${sizeBytes} B`
    : sizeBytes < 1_048_576
      ? `${(sizeBytes / 1_024).toFixed(1)} kB`
      : `${(sizeBytes / 1_048_576).toFixed(1)} MB`

/** "4.1 of 5.0 GiB": how much of a limit is used. */
export const shareOf = (usedBytes: number, limitBytes: number): string =>
  `${(usedBytes / 1024 ** 3).toFixed(1)} of ${(limitBytes / 1024 ** 3).toFixed(1)} GiB`

/** A command as one would type it. */
export const commandLine = (argv: readonly string[]): string =>
  argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')
