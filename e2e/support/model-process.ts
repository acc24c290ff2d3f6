import { startModelServer } from '../../backend/src/testing/model-server.ts'

const server = await startModelServer({ scenario: process.argv[2] ?? 'rehearsal' })
console.log(`model ${server.url}`)
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)))
