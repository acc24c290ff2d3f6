import { runUntilSignal } from '../app/start.ts'
import { main } from './main.ts'

/** Everything in one process: API, page, socket and workers. */
await main(() => runUntilSignal({ serve: true, work: true }))
