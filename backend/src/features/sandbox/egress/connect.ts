import type { ServerHttp2Stream } from 'node:http2'
import net from 'node:net'
import { pipeline } from 'node:stream/promises'
import { Transform } from 'node:stream'
import type { ProjectId } from '@guildhall/protocol/ids.ts'
import type { Log } from '../../../platform/log.ts'
import { parseTarget, publicAddresses, Refused, type Resolve } from './target.ts'

/** A connection to an address that was checked. Rejects when there is no answer. */
export type Dial = (address: string, port: number) => Promise<net.Socket>

export type Traffic = { sentBytes: number; receivedBytes: number }

const dialTimeoutMs = 10_000
const maxAddresses = 4
const dayMs = 86_400_000
/** How long a connection may outlive its host's place on the list, when another process took it off. */
const recheckMs = 5_000

type Count = { open: number; bytes: number; since: number }
type Tunnel = { projectId: ProjectId; target: string; stream: ServerHttp2Stream }

/**
 * The CONNECT proxy of one platform: a tunnel to an exact `host:port` that the project's owner allows, at an address
 * that was checked. Bounded by connections and by bytes a day, both by project.
 */
export function createConnectProxy(options: {
  allowedHosts(projectId: ProjectId): Promise<readonly string[]> | readonly string[]
  /** What a connection carried, once it has ended. */
  onTraffic(projectId: ProjectId, target: string, traffic: Traffic): void
  resolve: Resolve
  dial: Dial
  maxConnections: number
  maxBytesPerDay: number
  log: Log
}) {
  const { allowedHosts, onTraffic, resolve, dial, maxConnections, maxBytesPerDay, log } = options
  const counts = new Map<ProjectId, Count>()
  const tunnels = new Set<Tunnel>()

  function countsOf(projectId: ProjectId): Count {
    const known = counts.get(projectId) ?? { open: 0, bytes: 0, since: Date.now() }
    if (Date.now() - known.since > dayMs) Object.assign(known, { bytes: 0, since: Date.now() })
    counts.set(projectId, known)
    return known
  }

  /** Takes a place for one connection, which the caller gives back. Throws `Refused` with the reason. */
  async function admit(projectId: ProjectId, authority: string) {
    const parsed = parseTarget(authority)
    if (!parsed) throw new Refused('Only a host name with a port can be allowed, no address')
    const target = `${parsed.host}:${parsed.port}`
    if (!(await allowedHosts(projectId)).includes(target)) {
      throw new Refused('This host is not on the list of the project', { allow: target })
    }
    const count = countsOf(projectId)
    if (count.bytes >= maxBytesPerDay) throw new Refused('The bytes of today are used up')
    // Nothing is awaited between looking and taking: a crowd must not pass the bound together.
    if (count.open >= maxConnections) throw new Refused(`More than ${maxConnections} connections at once`)
    count.open++
    return { ...parsed, target, count }
  }

  /** The first address that answers, of those that were checked: the name is not looked at again. */
  async function reach(host: string, port: number): Promise<net.Socket> {
    let last: unknown = null
    for (const address of (await publicAddresses(host, resolve)).slice(0, maxAddresses)) {
      try {
        return await dial(address, port)
      } catch (error) {
        last = error
      }
    }
    throw new Refused(`The host does not answer: ${(last as Error).message}`, { cause: last })
  }

  async function carry(tunnel: Tunnel, socket: net.Socket, count: Count): Promise<void> {
    const { projectId, target, stream } = tunnel
    const traffic: Traffic = { sentBytes: 0, receivedBytes: 0 }
    socket.on('error', () => stream.destroy())
    stream.on('error', () => socket.destroy())
    stream.on('close', () => socket.destroy())
    stream.respond({ ':status': 200 })
    const meter = (of: keyof Traffic) =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          count.bytes += chunk.length
          traffic[of] += chunk.length
          done(count.bytes > maxBytesPerDay ? new Error('The bytes of today are used up') : null, chunk)
        },
      })
    tunnels.add(tunnel)
    await Promise.allSettled([
      pipeline(stream, meter('sentBytes'), socket),
      pipeline(socket, meter('receivedBytes'), stream),
    ])
    tunnels.delete(tunnel)
    onTraffic(projectId, target, traffic)
  }

  /** Ends connections to hosts that are no longer allowed. */
  async function recheck(projectId: ProjectId): Promise<void> {
    const allowed = await allowedHosts(projectId)
    for (const tunnel of tunnels) {
      if (tunnel.projectId === projectId && !allowed.includes(tunnel.target)) tunnel.stream.destroy()
    }
  }
  const timer = setInterval(() => {
    for (const projectId of new Set([...tunnels].map((tunnel) => tunnel.projectId))) {
      recheck(projectId).catch((error: unknown) =>
        log.warn({ err: error, projectId }, 'allowed hosts could not be read; open connections stay so long'),
      )
    }
  }, recheckMs).unref()

  return {
    /** Tunnels until one side ends. Throws `Refused` before anything was answered; afterwards it only ends. */
    async open(projectId: ProjectId, authority: string, stream: ServerHttp2Stream): Promise<void> {
      const { host, port, target, count } = await admit(projectId, authority)
      try {
        const socket = await reach(host, port)
        if (stream.destroyed) socket.destroy()
        else await carry({ projectId, target, stream }, socket, count)
      } finally {
        count.open--
      }
    },
    recheck,
    close: () => clearInterval(timer),
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
