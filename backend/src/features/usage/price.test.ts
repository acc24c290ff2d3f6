import { expect, test } from 'vitest'
import { priceCall, shownUsd } from './price.ts'

const rates = { input: '2', output: '10', cacheRead: '0.10', cacheWrite: '2.50' }
const usage = (inputTokens: number, outputTokens: number, cacheReadTokens = 0, cacheWriteTokens = 0) => ({
  inputTokens,
  outputTokens,
  cacheReadTokens,
  cacheWriteTokens,
})

test('each kind of token is charged at its own rate, exactly', () => {
  expect(priceCall(rates, usage(1_000_000, 0))).toBe('2.00000000')
  expect(priceCall(rates, usage(1, 1, 1, 1))).toBe('0.00001460')
  expect(priceCall(rates, usage(4, 1_234, 98_765, 4_321))).toBe('0.03302700')
  expect(priceCall(rates, usage(0, 0))).toBe('0.00000000')
})

test('half of the last place is rounded up, and no step goes through a float', () => {
  // 0.125 dollars a million tokens: one token is 0.000000125 dollars
  expect(priceCall({ ...rates, input: '0.125' }, usage(1, 0))).toBe('0.00000013')
  expect(priceCall({ ...rates, input: '0.1', output: '0.2' }, usage(3, 3))).toBe('0.00000090')
  expect(priceCall({ ...rates, input: '15' }, usage(2_000_000_001, 0))).toBe('30000.00001500')
})

test('a long prompt, cache included, changes the rates of the whole call', () => {
  const tiered = {
    ...rates,
    longPrompt: { overTokens: 100, input: '20', output: '100', cacheRead: '1', cacheWrite: '25' },
  }
  expect(priceCall(tiered, usage(40, 10, 60, 0))).toBe('0.00018600')
  expect(priceCall(tiered, usage(40, 10, 61, 0))).toBe('0.00186100')
})

test('eight stored places are shown as six', () => {
  expect(['0.00000049', '0.00000050', '12.34567899', '0', '3.1'].map(shownUsd)).toEqual([
    '0.000000',
    '0.000001',
    '12.345679',
    '0.000000',
    '3.100000',
  ])
})

test('what is no price is refused', () => {
  expect(() => priceCall({ ...rates, input: '1e3' }, usage(1, 0))).toThrow('not a price')
  expect(() => priceCall({ ...rates, input: '0.1234567' }, usage(1, 0))).toThrow('not a price')
})
