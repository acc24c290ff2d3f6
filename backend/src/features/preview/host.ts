import { createHash } from 'node:crypto'

/** The second half of a preview's host name: readable, and different for different branches of a project. */
export function branchLabelOf(branch: string): string {
  const plain = branch
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 36)
    .replace(/-+$/, '')
  if (plain === branch) return plain
  const mark = createHash('sha256').update(branch).digest('hex').slice(0, 8)
  return plain ? `${plain}-${mark}` : mark
}

export const hostOf = (previewLabel: string, branch: string) => `${previewLabel}--${branchLabelOf(branch)}`

export interface PreviewAddress {
  /** Everything under this domain is a preview's, never the platform's own. */
  domain: string
  publicUrl: string | null
  /** Asked each time: a server that listens on port 0 learns it late. */
  port: () => number
}

/** `http://<host>.<domain>:<port>`, or https with the public address's port. */
export function originOf({ domain, publicUrl, port }: PreviewAddress, host: string): string {
  if (!publicUrl) return `http://${host}.${domain}:${port()}`
  const url = new URL(publicUrl)
  return `${url.protocol}//${host}.${domain}${url.port ? `:${url.port}` : ''}`
}

const port = /:\d{1,5}$/
const label = /^[a-z0-9]{1,32}--[a-z0-9](?:[a-z0-9-]{0,44}[a-z0-9])?$/

/**
 * Which preview a Host header means: its label; 'unknown' for a host under the preview domain that is none; null for a
 * host that is not a preview's at all. The label is only ever looked up, never part of an address that is dialled.
 */
export function readHost(header: string | undefined, domain: string): string | 'unknown' | null {
  const host = (header ?? '').trim().toLowerCase()
  const name = host.replace(port, '')
  const bare = name.replace(/\.+$/, '')
  if (bare !== domain && !bare.endsWith(`.${domain}`)) return null
  if (!name.endsWith(`.${domain}`)) return 'unknown'
  const first = name.slice(0, -domain.length - 1)
  return first.length <= 63 && label.test(first) ? first : 'unknown'
}
