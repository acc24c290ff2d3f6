import { lookup } from 'node:dns/promises'
import { isPublicAddress } from './addresses.ts'

export type Target = { host: string; port: number }
export type Resolve = (host: string) => Promise<string[]>

/** A refusal with words for the project's log. `allow`: what an owner could allow so that it is none. */
export class Refused extends Error {
  readonly allow: string | null
  constructor(reason: string, { allow, ...options }: ErrorOptions & { allow?: string } = {}) {
    super(reason, options)
    this.allow = allow ?? null
  }
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * `host:port` of a CONNECT, or null. Only a plain DNS name is a host: no address in any spelling (a last label
 * that begins with a digit is one: 127.1, 0x7f.1, 2130706433), no userinfo, no trailing dot, no single word.
 */
export function parseTarget(authority: string): Target | null {
  const match = /^([a-zA-Z0-9.-]{1,253}):([0-9]{1,5})$/.exec(authority)
  if (!match) return null
  const host = match[1]!.toLowerCase()
  const port = Number(match[2])
  const labels = host.split('.')
  if (labels.length < 2 || !labels.every((part) => label.test(part)) || /^[0-9]/.test(labels.at(-1)!)) return null
  return port >= 1 && port <= 65_535 ? { host, port } : null
}

export const resolveAll: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address)

/** Addresses of `host`, each of them checked: one that is not public refuses the name, whatever the others are. */
export async function publicAddresses(host: string, resolve: Resolve): Promise<string[]> {
  let addresses: string[]
  try {
    addresses = await resolve(host)
  } catch (error) {
    throw new Refused(`The name ${host} cannot be resolved`, { cause: error })
  }
  const bad = addresses.find((address) => !isPublicAddress(address))
  if (bad !== undefined) throw new Refused(`${host} resolves to ${bad}, which is not an address of the public internet`)
  if (addresses.length === 0) throw new Refused(`The name ${host} has no address`)
  return addresses
}
