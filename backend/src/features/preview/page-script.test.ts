import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { inserted, lettingThrough } from './page-script.ts'

const put = (...chunks: string[]) =>
  text(Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(inserted('[S]')))

test('the script stands first in the head, however the page arrives', async () => {
  const page = '<!doctype html>\n<html lang="en">\n<head data-x="1"><script>app()</script></head><body>é</body></html>'
  const wanted = page.replace('data-x="1">', 'data-x="1">[S]')
  expect(await put(page)).toBe(wanted)
  expect(await put(...page)).toBe(wanted)
})

test('a page without a head has it after the doctype, and one without anything at its start', async () => {
  expect(await put('<!doctype html><title>x</title><header>y</header>')).toBe(
    '<!doctype html>[S]<title>x</title><header>y</header>',
  )
  expect(await put('<p>only', ' this')).toBe('[S]<p>only this')
  expect(await put('<!doctype html><!-- <head> --><html>\n<head >x')).toBe(
    '<!doctype html><!-- <head> --><html>\n<head >[S]x',
  )
  expect(await put('<!doctype html><html')).toBe('<!doctype html>[S]<html')
  expect(await put('')).toBe('')
})

test('a long page is not held back for a head that never comes', async () => {
  const stream = inserted('[S]')
  stream.write(Buffer.from(`<!doctype html>${'x'.repeat(20_000)}`))
  const [first] = (await stream.take(1).toArray()) as Buffer[]
  expect(first!.subarray(0, 20).toString()).toBe('<!doctype html>[S]xx')
})

test('a policy lets the one script in and keeps everything else as it was', () => {
  const cases: [policy: string, wanted: string][] = [
    ["default-src 'self'", "default-src 'self' H"],
    ["default-src 'none'; script-src 'self'; img-src *", "default-src 'none'; script-src 'self' H; img-src *"],
    ["script-src 'none'", 'script-src H'],
    [
      "script-src 'nonce-a' 'unsafe-inline' 'strict-dynamic'",
      "script-src 'nonce-a' 'unsafe-inline' 'strict-dynamic' H",
    ],
    ["script-src-elem 'self'; script-src 'none'", "script-src-elem 'self' H; script-src 'none'"],
    ["script-src 'self' 'unsafe-inline'", "script-src 'self' 'unsafe-inline'"],
    ["img-src 'self'", "img-src 'self'"],
  ]
  for (const [policy, wanted] of cases) expect(lettingThrough(policy, 'H'), policy).toBe(wanted)
})
