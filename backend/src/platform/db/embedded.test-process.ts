import { startEmbeddedPostgres } from './embedded.ts'

/** A process to be killed: starts or joins the server in the folder it is given, says so, and waits. */
const server = await startEmbeddedPostgres({ dir: process.argv[2] ?? '' })
process.stdout.write(`${JSON.stringify({ pid: server.pid(), adopted: server.adopted, adminUrl: server.adminUrl })}\n`)
setInterval(() => undefined, 1_000)
