import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import { z } from 'zod'
import { request } from '../../lib/request.ts'

export const orderSandbox = (projectId: string, verb: 'start' | 'stop' | 'restart') =>
  request(z.unknown(), `/api/projects/${projectId}/container/${verb}`, { method: 'POST' })

export const sandboxWord: Record<Sandbox['state'], string> = {
  none: 'no sandbox',
  creating: 'sandbox being made',
  running: 'sandbox running',
  sleeping: 'sandbox asleep',
  stopping: 'sandbox stopping',
  stopped: 'sandbox stopped',
  unhealthy: 'sandbox unwell',
  error: 'sandbox failed',
}

/** Said on every screen: whether what runs in there is fenced in. */
export const isolationNote = ({ isolated, driver }: Sandbox): string =>
  isolated ? `isolated by ${driver}, no network` : 'not isolated: plain processes on this machine'
