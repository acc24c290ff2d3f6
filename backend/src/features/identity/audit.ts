import type { UserId } from '@guildhall/protocol/ids.ts'
import type { Db } from '../../platform/db/database.ts'
import { insertAudit } from './store.ts'

/** Where a request came from, for the audit log and the list of devices. */
export interface Client {
  address: string
  userAgent: string | undefined
  requestId: string
}

/** One row of the append-only audit log about signing in and out. */
export async function auditAuth(
  db: Db,
  client: Client | null,
  {
    action,
    userId,
    result = 'ok',
    targetId = userId,
  }: { action: string; userId: UserId | null; result?: 'ok' | 'refused'; targetId?: string | null },
): Promise<void> {
  await insertAudit(db, {
    actorType: client ? 'user' : 'system',
    actorId: userId,
    action: `auth.${action}`,
    targetType: targetId === userId ? 'user' : 'session',
    targetId,
    address: client?.address ?? null,
    requestId: client?.requestId ?? null,
    result,
  })
}
