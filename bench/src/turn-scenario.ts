import type { Scenario } from '../../backend/src/testing/scenarios/scenario.ts'

export const turns = 60

/**
 * A run of `turns` reads and a word at the end. `seen` gets the moment each request arrives; between two of them lie
 * one answer's way, one tool call, and whatever the loop does around it.
 */
export function turnScenario(seen: (step: number, at: number) => void): Scenario {
  return {
    name: 'turns',
    answer(scene) {
      seen(scene.step, performance.now())
      if (scene.step >= turns) return { text: 'Read.' }
      // A line further each time: the same call with the same result again and again would rightly be stopped.
      return {
        tools: [
          { name: 'read', input: { path: 'package.json', offset: (scene.step % 12) + 1, limit: 5 + scene.step } },
        ],
      }
    },
  }
}
