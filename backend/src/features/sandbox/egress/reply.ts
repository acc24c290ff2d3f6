import type { Cached } from './cache.ts'

/** What a mirror says: words, or a file on the platform's disk. `etag` answers If-None-Match. */
export type Reply =
  | { status: number; text: string; contentType: string }
  | { status: 200; path: string; sizeBytes: number; contentType: string; etag: string | null; cacheControl: string }

export const say = (status: number, text: string): Reply => ({ status, text: `${text}\n`, contentType: 'text/plain' })

/** A cached answer that may be asked for again in `maxAgeS`; a package file never changes under its name. */
export const fromCache = (cached: Cached, maxAgeS: number | 'forever'): Reply => ({
  status: 200,
  path: cached.path,
  sizeBytes: cached.sizeBytes,
  contentType: cached.contentType,
  etag: cached.etag,
  cacheControl: maxAgeS === 'forever' ? 'public, max-age=31536000, immutable' : `public, max-age=${maxAgeS}`,
})
