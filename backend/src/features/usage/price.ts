import type { ModelInfo, TokenUsage } from '@guildhall/protocol/llm.ts'

type Rates = Pick<ModelInfo['prices'], 'input' | 'output' | 'cacheRead' | 'cacheWrite'>

/** The rates of one call, dollars for a million tokens as decimal strings with at most six places. */
export type CallRates = Rates & { longPrompt?: Rates & { overTokens: number } }

/** '0.125' → 125000n: millionths of a dollar, exactly. */
function micros(price: string): bigint {
  const [whole = '0', fraction = ''] = price.split('.')
  if (!/^\d+$/.test(whole) || !/^\d{0,6}$/.test(fraction)) throw new Error(`not a price: ${price}`)
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}

const divideRounded = (value: bigint, by: bigint) => (value + by / 2n) / by

/** An integer of 10^-places dollars as a decimal string. */
function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, '0')
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`
}

/**
 * Price of one call in US dollars as a decimal string, eight places, half a unit rounded up. Cached input is charged
 * at its own rate. Source of the rates: the provider's price page, on the date given in llm/prices.json.
 */
export function priceCall(rates: CallRates, usage: TokenUsage): string {
  const promptTokens = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens
  const { longPrompt } = rates
  const used = longPrompt && promptTokens > longPrompt.overTokens ? longPrompt : rates
  // tokens × millionths of a dollar a million tokens = 10^-12 dollars
  const picos =
    BigInt(usage.inputTokens) * micros(used.input) +
    BigInt(usage.outputTokens) * micros(used.output) +
    BigInt(usage.cacheReadTokens) * micros(used.cacheRead) +
    BigInt(usage.cacheWriteTokens) * micros(used.cacheWrite)
  return decimal(divideRounded(picos, 10_000n), 8)
}

/** Dollars with up to eight places as an integer of 10^-8 dollars. */
export function units(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.')
  return BigInt(whole) * 100_000_000n + BigInt(fraction.padEnd(8, '0').slice(0, 8))
}

/** Eight stored places as the six that are shown ('0.00000050' → '0.000001'). */
export const shownUsd = (stored: string): string => decimal(divideRounded(units(stored), 100n), 6)

/** For a sentence: '$4.87'. */
export const cents = (value: bigint): string => `$${decimal(divideRounded(value, 1_000_000n), 2)}`
