/** The words of the page. `tests/content.test.ts` keeps them in order. */

export type Card = { id: string; title: string; text: string }

export const title = 'A fresh start'

export const tagline = 'This page is yours. Say what it should become, and watch it change.'

export const cards: Card[] = [
  {
    id: 'describe',
    title: 'Describe',
    text: 'Say what you want in a sentence or two. Pictures, numbers and examples all help.',
  },
  {
    id: 'watch',
    title: 'Watch',
    text: 'Every saved change shows here at once, without losing what you were looking at.',
  },
  {
    id: 'keep',
    title: 'Keep',
    text: 'Nothing becomes part of the page before its checks pass and someone has read it.',
  },
]
