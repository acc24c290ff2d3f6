import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cards, tagline, title } from '../src/content.ts'

test('the page has a title and a tagline', () => {
  assert.ok(title.trim().length > 0)
  assert.ok(tagline.trim().length > 0)
})

test('every card says something, under an id of its own', () => {
  assert.ok(cards.length > 0)
  for (const card of cards) assert.ok(card.title.trim() && card.text.trim(), `${card.id} is empty`)
  assert.equal(new Set(cards.map((card) => card.id)).size, cards.length)
})
