import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createCache } from './cache.ts'

const meta = (key: string) => ({ key, contentType: 'x', etag: '', fetchedAt: 0, upstreamEtag: null })

test('over its bound the cache drops what was used longest ago, in any process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const cache = createCache({ folder, maxBytes: 3_000 })
  for (const key of ['a', 'b', 'c']) {
    await cache.put(key.repeat(1_000), meta(key))
    await new Promise((done) => setTimeout(done, 10))
  }
  await cache.get('a')
  const other = createCache({ folder, maxBytes: 3_000 })
  await other.put('d'.repeat(1_000), meta('d'))
  const left = await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => (await cache.get(key)) !== null))
  expect(left).toEqual([true, false, false, true])
})
