import type { Scenario } from './scenario.ts'

/** For tests of the wire: every run answers with one sentence. */
export const plain: Scenario = { name: 'plain', answer: () => ({ text: 'Hello from the script.' }) }
