import { createHash } from 'node:crypto'
import type { RunSession } from '../session.ts'

export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
export const shortHash = (hash: string) => hash.slice(0, 8)

export function sizeText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} bytes`
  return bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} kB` : `${(bytes / 1_048_576).toFixed(1)} MB`
}

/** A file as text, its byte order mark kept; null when it is not UTF-8 or holds NUL: writing it back would change it. */
export function decodeText(bytes: Buffer): string | null {
  if (bytes.includes(0)) return null
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not UTF-8 is an answer here, not a failure.
    return null
  }
}

/** Files of a work tree that git knows or would add, relative paths, sorted; ignored ones are left out. */
export async function listFiles(session: RunSession, root: string, signal?: AbortSignal): Promise<string[]> {
  const { stdout } = await session.exec({
    argv: ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'],
    cwd: root,
    timeoutMs: 10_000,
    maxBytes: 1_048_576,
    signal,
  })
  return stdout.toString('utf8').split('\0').filter(Boolean).sort()
}
