import { runUntilSignal } from '../app/start.ts'
import { main } from './main.ts'

/** API, page and socket; work is done by `worker` processes. */
await main(() => runUntilSignal({ serve: true, work: false }))
