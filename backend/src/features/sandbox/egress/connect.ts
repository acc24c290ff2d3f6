import type { ServerHttp2Stream } from 'node:http2'
import net from 'node:net'
import { pipeline } from 'node:stream/promises'
import { Transform } from 'node:stream'
import { parseTarget, publicAddresses, Refused, type Resolve } from './target.ts'

/** A connection to an address that was checked. Rejects when there is no answer. */
export type Dial = (address: string, port: number) => Promise<net.Socket>

const dialTimeoutMs = 10_000
const dayMs = 86_400_000

/**
 * The CONNECT proxy of one platform: a tunnel to an exact `host:port` that the project's owner allows, at an address
 * that was checked. Bounded by connections and by bytes a day, both by project.
 */
export function createConnectProxy(options: {
  allowedHosts(projectId: string): Promise<readonly string[]> | readonly string[]
  resolve: Resolve
  dial: Dial
  maxConnections: number
  maxBytesPerDay: number
}) {
  const { allowedHosts, resolve, dial, maxConnections, maxBytesPerDay } = options
  const counts = new Map<string, { open: number; bytes: number; since: number }>()

  function countsOf(projectId: string) {
    const known = counts.get(projectId) ?? { open: 0, bytes: 0, since: Date.now() }
    if (Date.now() - known.since > dayMs) Object.assign(known, { bytes: 0, since: Date.now() })
    counts.set(projectId, known)
    return known
  }

  /** The addresses to dial. Throws `Refused` with the reason. */
  async function check(projectId: string, authority: string) {
    const target = parseTarget(authority)
    if (!target) throw new Refused('Only a host name with a port can be allowed, no address')
    const allowed = await allowedHosts(projectId)
    const isAllowed = allowed.some((entry) => entry.toLowerCase() === `${target.host}:${target.port}`)
    if (!isAllowed) throw new Refused('This host is not on the list of the project')
    const count = countsOf(projectId)
    if (count.open >= maxConnections) throw new Refused(`More than ${maxConnections} connections at once`)
    if (count.bytes >= maxBytesPerDay) throw new Refused('The bytes of today are used up')
    return { addresses: await publicAddresses(target.host, resolve), port: target.port, count }
  }

  /** Tunnels until one side ends. Throws `Refused` before anything was answered; afterwards it only ends. */
  return async (projectId: string, authority: string, stream: ServerHttp2Stream): Promise<void> => {
    const { addresses, port, count } = await check(projectId, authority)
    if (stream.destroyed) return
    count.open++
    try {
      const socket = await dial(addresses[0]!, port).catch((error: Error) => {
        throw new Refused(`The host does not answer: ${error.message}`, { cause: error })
      })
      socket.on('error', () => stream.destroy())
      stream.on('error', () => socket.destroy())
      stream.on('close', () => socket.destroy())
      stream.respond({ ':status': 200 })
      const meter = () =>
        new Transform({
          transform(chunk: Buffer, _encoding, done) {
            count.bytes += chunk.length
            done(count.bytes > maxBytesPerDay ? new Error('The bytes of today are used up') : null, chunk)
          },
        })
      await Promise.allSettled([pipeline(stream, meter(), socket), pipeline(socket, meter(), stream)])
    } finally {
      count.open--
    }
  }
}

export const dialDirectly: Dial = (address, port) =>
  new Promise((done, reject) => {
    const socket = net.connect({ host: address, port, timeout: dialTimeoutMs })
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('timeout', () => fail(new Error('no answer in time')))
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      done(socket)
    })
  })
