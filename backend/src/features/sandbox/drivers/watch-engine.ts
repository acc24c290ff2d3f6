import type { Readable } from 'node:stream'
import type Docker from 'dockerode'

const retryMs = 2_000
const quietMs = 50
const actions = ['start', 'die', 'oom', 'destroy']

/** Calls back, a moment later and once for many, when the engine says that one of our containers changed. */
export function watchEngine(
  connect: () => Promise<Docker>,
  filters: { label: string[] },
  listener: () => void,
): () => void {
  let isStopped = false
  let current: Readable | null = null
  let retry: NodeJS.Timeout | undefined
  let pending: NodeJS.Timeout | undefined

  async function follow(): Promise<void> {
    try {
      const docker = await connect()
      const events = await docker.getEvents({ filters: { ...filters, type: ['container'], event: actions } })
      current = events as unknown as Readable
      if (isStopped) return void current.destroy()
      current.on('data', () => {
        pending ??= setTimeout(() => {
          pending = undefined
          if (!isStopped) listener()
        }, quietMs)
      })
      await new Promise((ended) => {
        current?.on('close', ended)
        current?.on('end', ended)
        current?.on('error', ended)
      })
    } catch {
      // No engine, or it went away: the regular comparison says so to people; here it is asked again.
    }
    current = null
    if (!isStopped) retry = setTimeout(() => void follow(), retryMs).unref()
  }

  void follow()
  return () => {
    isStopped = true
    clearTimeout(retry)
    clearTimeout(pending)
    current?.destroy()
  }
}
