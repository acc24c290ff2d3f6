import { runUntilSignal } from '../app/start.ts'
import { main } from './main.ts'

/** Jobs and sweeps only. */
await main(() => runUntilSignal({ serve: false, work: true }))
