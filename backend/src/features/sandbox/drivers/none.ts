import { noEngine } from './engine.ts'
import type { SandboxDriver } from '../driver.ts'

/** ENGINE=none: everything that needs no sandbox works, and what needs one says why it does not. */
export function createNoDriver(): SandboxDriver {
  const refuse = async (): Promise<never> => {
    throw noEngine('This installation runs without a container engine (ENGINE=none)')
  }
  return {
    name: 'docker',
    isolated: true,
    rootOf: () => '/workspace',
    check: refuse,
    hasImage: refuse,
    identity: refuse,
    create: refuse,
    start: refuse,
    stop: refuse,
    removeContainer: refuse,
    remove: refuse,
    openBridge: refuse,
    inspect: refuse,
    list: refuse,
    tidy: refuse,
    logs: refuse,
    onChange: () => () => undefined,
    async close() {
      // Nothing was opened.
    },
  }
}
