import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

/** What is not the public internet in IPv4: private, loopback, link-local, metadata, documentation, multicast, reserved. */
const notPublic = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4')
}

/** IPv6 the other way round: only global unicast counts, without the ranges that carry an IPv4 address inside. */
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')
const exceptions6 = new BlockList()
for (const [network, prefix] of [
  ['2001::', 23], // protocol assignments: Teredo, ORCHID, benchmarking
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4
  ['3fff::', 20],
] as const) {
  exceptions6.addSubnet(network, prefix, 'ipv6')
}

/** Asked anew each time: addresses of a machine change. */
function isOurOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address))
}

/** True for an address of the public internet that is not this machine's own. Anything unclear is not. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !notPublic.check(address, 'ipv4') && !isOurOwn(address)
  if (family !== 6 || address.includes('%')) return false
  return global6.check(address, 'ipv6') && !exceptions6.check(address, 'ipv6') && !isOurOwn(address)
}
