import { AsyncLocalStorage } from 'node:async_hooks'
import { sql } from 'drizzle-orm'
import type { Db } from './handle.ts'

/**
 * What has to be written together with the effect of a request, whichever transaction that is: `write` runs once, in
 * the first transaction of the request that changed anything, right before its commit. Throwing undoes that one.
 */
export class Companion {
  private readonly write: (tx: Db) => Promise<void>
  private state: 'waiting' | 'being written' | 'written' | 'over' = 'waiting'

  constructor(write: (tx: Db) => Promise<void>) {
    this.write = write
  }

  get isWritten(): boolean {
    return this.state === 'written'
  }

  /** The request has ended: what it left running in the background is not its effect. */
  end(): void {
    if (this.state === 'waiting') this.state = 'over'
  }

  /** Runs `commit` with the companion's write before it, if this transaction is the one. */
  async around(tx: Db, commit: () => Promise<void>): Promise<void> {
    if (this.state !== 'waiting' || !(await hasWritten(tx)) || this.state !== 'waiting') return commit()
    this.state = 'being written'
    try {
      await this.write(tx)
      await commit()
      this.state = 'written'
    } finally {
      if (this.state === 'being written') this.state = 'waiting'
    }
  }
}

async function hasWritten(tx: Db): Promise<boolean> {
  const { rows } = await tx.execute<{ has: boolean }>(sql`select pg_current_xact_id_if_assigned() is not null as has`)
  return rows[0]!.has
}

const current = new AsyncLocalStorage<Companion>()

/** Everything that `begin` sets going has this companion. */
export const accompany = (companion: Companion, begin: () => void): void => current.run(companion, begin)
export const companionHere = (): Companion | undefined => current.getStore()
