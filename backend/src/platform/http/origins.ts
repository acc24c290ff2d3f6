/**
 * The origins that are this platform's own page. With a public address it is that one; otherwise the port on loopback,
 * by its usual names. Previews live on other hosts and are never among them.
 */
export interface OwnOrigins {
  has(origin: string): boolean
  list(): string[]
}

/** `port` is asked each time: a server that listens on port 0 learns it late. */
export function createOwnOrigins({ publicUrl, port }: { publicUrl: string | null; port: () => number }): OwnOrigins {
  const list = () =>
    publicUrl
      ? [new URL(publicUrl).origin]
      : ['localhost', '127.0.0.1', '[::1]'].map((host) => `http://${host}:${port()}`)
  return { has: (origin) => list().includes(origin), list }
}
