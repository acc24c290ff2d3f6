import type { Lane } from './lanes.ts'

const SHORTEST_MS = 8_000
const LONGEST_MS = 60_000
const ROUND_STEPS_MS = [5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400].map((s) => s * 1_000)

export interface LaneScale {
  x(time: number): number
  ticks: readonly { x: number; at: number }[]
  /** Between two ticks: under a minute, their labels need seconds. */
  stepMs: number
  /** Where a long quiet was cut short. */
  breaks: readonly number[]
  width: number
}

/**
 * Time from left to right, with work in proportion and idleness cut short: between two things that happened lies at
 * least eight seconds' worth of room and at most a minute's, so that an hour's wait for an answer does not push an
 * hour's work into a corner.
 */
export function laneScale(lanes: readonly Lane[], now: number, available: number): LaneScale {
  const moments = new Set<number>([now])
  for (const lane of lanes) {
    if (lane.forkedAt !== null) moments.add(lane.forkedAt)
    if (lane.mergedAt !== null) moments.add(lane.mergedAt)
    for (const dot of lane.dots) moments.add(dot.at)
  }
  const times = [...moments].sort((a, b) => a - b)
  const places = [0]
  for (let index = 1; index < times.length; index += 1) {
    const gap = times[index]! - times[index - 1]!
    places.push(places[index - 1]! + Math.min(LONGEST_MS, Math.max(SHORTEST_MS, gap)))
  }
  const total = places.at(-1) || 1
  const width = Math.max(available, times.length * 18)
  const perMs = times.length > 1 ? width / total : 0

  const x = (time: number): number => {
    const after = times.findIndex((known) => known >= time)
    if (after === 0) return 0
    if (after < 0) return width
    const before = times[after - 1]!
    const share = (time - before) / (times[after]! - before)
    return (places[after - 1]! + share * (places[after]! - places[after - 1]!)) * perMs
  }

  const breaks: number[] = []
  const ticks: { x: number; at: number }[] = []
  const step = ROUND_STEPS_MS.find((candidate) => (candidate / total) * width >= 96) ?? 86_400_000
  for (let index = 1; index < times.length; index += 1) {
    const [from, to] = [times[index - 1]!, times[index]!]
    if (to - from > LONGEST_MS * 2) {
      breaks.push((x(from) + x(to)) / 2)
      continue
    }
    for (let at = Math.ceil(from / step) * step; at < to; at += step) {
      const place = x(at)
      if (place - (ticks.at(-1)?.x ?? -Infinity) >= 84 && width - place > 44) ticks.push({ x: place, at })
    }
  }
  return { x, ticks, stepMs: step, breaks, width }
}
