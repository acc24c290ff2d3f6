import { render } from '@testing-library/react'
import { expect, test } from 'vitest'
import MarkdownText from './markdown.tsx'

const shown = (text: string) => render(<MarkdownText text={text} />).container

test('raw HTML stays text, and nothing in it runs or loads', () => {
  const page = shown('Hello <script>alert(1)</script> <img src=x onerror="alert(1)"> <iframe src="//x"></iframe>')
  expect(page.querySelectorAll('script, img, iframe')).toHaveLength(0)
  expect(page.textContent).toContain('<script>')
})

test('a picture from elsewhere is named, not fetched', () => {
  const page = shown('![a secret pixel](https://tracker.example/p.png)')
  expect(page.querySelector('img')).toBeNull()
  expect(page.textContent).toContain('a secret pixel')
})

test('links lead to http(s) only, in a tab that knows nothing of this one', () => {
  const page = shown(
    '[good](https://example.test/a) [bad](javascript:alert(1)) [odd](data:text/html,x) [mail](mailto:a@b.c)',
  )
  const links = [...page.querySelectorAll('a')]
  expect(links.map((link) => [link.getAttribute('href'), link.rel, link.target])).toEqual([
    ['https://example.test/a', 'noopener noreferrer nofollow ugc', '_blank'],
  ])
})
