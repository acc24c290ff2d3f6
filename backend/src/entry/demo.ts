import { runUntilSignal } from '../app/start.ts'
import { startModelServer } from '../testing/model-server.ts'
import { rehearsal, sentences } from '../testing/scenarios/rehearsal.ts'
import { main } from './main.ts'

/** Between two pieces of an answer: about as fast as one reads along. */
const pieceDelayMs = 30

/**
 * `make demo`: the whole product with a script in the place of the model, so that the way from a wish to a merged
 * change can be watched without a key. Only the far end of the wire is played; it is labelled as scripted everywhere.
 */
await main(async () => {
  const server = await startModelServer({ scenario: rehearsal, delayMs: pieceDelayMs })
  // Over whatever a file .env says: a demo must never reach a real provider.
  Object.assign(process.env, {
    ANTHROPIC_BASE_URL: server.baseUrl,
    ANTHROPIC_API_KEY: 'scripted-rehearsal',
    MODEL_LABEL: 'Scripted rehearsal',
    DEFAULT_MODEL: 'rehearsal',
  })
  await runUntilSignal({ serve: true, work: true })
  console.log(
    `\nThis is the scripted rehearsal: no model is called, nothing is billed. Make a project and say, for example:\n  ${sentences.banner('Hello from the crew')}`,
  )
})
