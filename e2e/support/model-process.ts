import { startModelServer } from '../../backend/src/testing/model-server.ts'
import { rehearsal } from '../../backend/src/testing/scenarios/rehearsal.ts'

/** The scripted crew as a process of its own. `delayMs` is what it waits before each chunk of an answer. */
const server = await startModelServer({ scenario: rehearsal, delayMs: Number(process.argv[2] ?? 0) })
process.stdout.write(`model ${server.baseUrl}\n`)
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)))
