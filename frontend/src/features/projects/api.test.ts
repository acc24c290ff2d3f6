import { expect, test } from 'vitest'
import { nameFromWish } from './api.ts'

test('a project is named by the first words of the wish, without its courtesies', () => {
  expect(
    [
      'A booking page for a climbing gym, with a weekly timetable and a waiting list',
      'please build me a todo app. It should sync.',
      'Add a banner that says "Hello from the crew" and a footer',
      'Add a banner that says "Hello 350" and a footer that says it too',
      'Build the',
      '   ',
      'x'.repeat(300),
    ].map(nameFromWish),
  ).toEqual([
    'Booking page for a climbing gym',
    'Todo app',
    'Banner',
    'Banner that says "Hello 350"',
    'The',
    'New project',
    `X${'x'.repeat(59)}`,
  ])
})
