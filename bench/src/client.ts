import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Event } from '@guildhall/protocol/events.ts'

/** A person over the public interface: registers, asks, reads the log. */
export async function signUp(url: string) {
  const name = `b${randomUUID().slice(0, 8)}`
  const call = async <Answer>(method: string, path: string, body?: unknown, token?: string): Promise<Answer> => {
    const response = await fetch(`${url}/api${path}`, {
      method,
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        'x-guildhall': '1',
      },
      body: body ? JSON.stringify(body) : undefined,
    })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as Answer
  }
  const password = 'a long enough password'
  await call('POST', '/auth/register', { email: `${name}@example.test`, username: name, password })
  const { accessToken } = await call<{ accessToken: string }>('POST', '/auth/login', { login: name, password })
  const as = <Answer>(method: string, path: string, body?: unknown) => call<Answer>(method, path, body, accessToken)
  return {
    name,
    password,
    call: as,
    /** Waits for a fact of a project's log; answers it. Asking costs the product time, so `everyMs` says how often. */
    async fact<Type extends Event['type']>(projectId: string, type: Type, { everyMs = 20, timeoutMs = 240_000 } = {}) {
      const until = Date.now() + timeoutMs
      for (let seen = 0; Date.now() < until; await wait(everyMs)) {
        const { items } = await as<{ items: Event[] }>('GET', `/projects/${projectId}/events?after=${seen}`)
        const failed = items.find((event) => event.type === 'task.failed')
        const found = items.find((event) => event.type === type)
        if (found) return found as Extract<Event, { type: Type }>
        if (failed) throw new Error(`a task failed: ${JSON.stringify(failed.data).slice(0, 2_000)}`)
        seen = items.at(-1)?.seq ?? seen
      }
      throw new Error(`no ${type} within ${timeoutMs} ms`)
    },
  }
}
