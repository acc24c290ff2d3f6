/** Durations in milliseconds, smallest first. */
export type Sample = number[]

export async function repeat(times: number, work: (index: number) => Promise<unknown>): Promise<Sample> {
  const sample: Sample = []
  for (let index = 0; index < times; index++) {
    const start = performance.now()
    await work(index)
    sample.push(performance.now() - start)
  }
  return sample.sort((a, b) => a - b)
}

export const quantile = (sample: Sample, q: number): number =>
  sample[Math.min(sample.length - 1, Math.floor(sample.length * q))]!

const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`.padStart(10)

/** One figure with its spread; with a floor measured in the same run also the ratio of the medians. */
export function print(name: string, sample: Sample, floor?: Sample): void {
  const p50 = quantile(sample, 0.5)
  const ratio = floor ? `   ${(p50 / quantile(floor, 0.5)).toFixed(2)} × floor` : ''
  console.log(`  ${name.padEnd(44)} p50 ${ms(p50)}   p95 ${ms(quantile(sample, 0.95))}   n ${sample.length}${ratio}`)
}
