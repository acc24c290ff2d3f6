import http from 'node:http'
import http2 from 'node:http2'
import type net from 'node:net'
import type { Duplex } from 'node:stream'

/** How long a request waits for a keeper before it is told that there is none. */
const holdMs = 15_000
/** Headers that belong to one connection, not to the message; HTTP/2 has its own. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'transfer-encoding',
  'upgrade',
  'host',
  'http2-settings',
  'te',
])

/**
 * The way out. Nothing here knows a rule: each request that arrives at one of the two loopback doors becomes a stream
 * on the keeper's session, and the platform decides what becomes of it. Roles are turned: over egress.sock the
 * platform is the HTTP/2 server. `guildhall-door` says which door it was (`mirror` or `proxy`).
 */
export class Egress {
  #session: http2.ClientHttp2Session | null = null
  readonly #waiting = new Set<(session: http2.ClientHttp2Session | null) => void>()

  /** A connection to egress.sock: the newest keeper is the one that counts. */
  adopt(socket: net.Socket): void {
    const session = http2.connect('http://keeper', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: 1 << 20 },
      maxSessionMemory: 128,
    })
    // The session's end is all that matters here; requests in flight see it as their own failure.
    session.on('error', () => session.destroy())
    session.once('remoteSettings', () => {
      this.#session?.destroy()
      this.#session = session
      for (const go of this.#waiting) go(session)
      this.#waiting.clear()
    })
    session.on('close', () => {
      if (this.#session === session) this.#session = null
    })
  }

  listenMirror(port: number): http.Server {
    const server = http.createServer((request, response) => void this.#forward('mirror', request, response, {}))
    return listenOnLoopback(server, port)
  }

  listenProxy(port: number): http.Server {
    const server = http.createServer((request, response) => {
      const target = URL.parse(request.url ?? '')
      if (target?.protocol !== 'http:') {
        response.writeHead(400, { 'content-type': 'text/plain' }).end('This is a proxy: ask for a whole http URL\n')
        return
      }
      const path = `${target.pathname}${target.search}`
      void this.#forward('proxy', request, response, { ':authority': target.host, ':path': path })
    })
    server.on('connect', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#tunnel(request.url ?? '', socket, head)
    })
    return listenOnLoopback(server, port)
  }

  async #forward(
    door: 'mirror' | 'proxy',
    request: http.IncomingMessage,
    response: http.ServerResponse,
    target: http2.OutgoingHttpHeaders,
  ): Promise<void> {
    const session = await this.#keeper()
    if (!session) return refuse(response, 503, 'The platform does not answer; try again in a moment')
    const headers: http2.OutgoingHttpHeaders = {
      ':method': request.method ?? 'GET',
      ':path': request.url ?? '/',
      ':scheme': 'http',
      ':authority': door,
      'guildhall-door': door,
      ...target,
    }
    for (const [name, value] of Object.entries(request.headers)) {
      if (!hopByHop.has(name) && !name.startsWith('guildhall-') && value !== undefined) headers[name] = value
    }
    let stream: http2.ClientHttp2Stream
    try {
      stream = session.request(headers)
    } catch (error) {
      return refuse(response, 502, `The request cannot be passed on: ${(error as Error).message}`)
    }
    stream.on('response', (answer) => {
      const passed: http.OutgoingHttpHeaders = {}
      for (const [name, value] of Object.entries(answer)) if (!name.startsWith(':')) passed[name] = value
      response.writeHead(Number(answer[':status'] ?? 502), passed)
      stream.pipe(response)
    })
    stream.on('error', () => refuse(response, 502, 'The connection to the platform broke'))
    stream.on('close', () => {
      if (!response.writableEnded) response.destroy()
    })
    response.on('close', () => stream.close(http2.constants.NGHTTP2_CANCEL))
    request.pipe(stream)
  }

  async #tunnel(authority: string, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    const session = await this.#keeper()
    if (!session) return refuseTunnel(socket, 503, 'The platform does not answer')
    let stream: http2.ClientHttp2Stream
    try {
      stream = session.request({ ':method': 'CONNECT', ':authority': authority, 'guildhall-door': 'proxy' })
    } catch (error) {
      return refuseTunnel(socket, 400, (error as Error).message)
    }
    stream.on('response', (answer) => {
      const status = Number(answer[':status'] ?? 502)
      if (status !== 200) {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => {
          if (chunks.length < 16) chunks.push(chunk)
        })
        stream.on('end', () => refuseTunnel(socket, status, Buffer.concat(chunks).toString('utf8')))
        return
      }
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      if (head.length > 0) stream.write(head)
      socket.pipe(stream)
      stream.pipe(socket)
    })
    stream.on('error', () => socket.destroy())
    stream.on('close', () => socket.end())
    socket.on('close', () => stream.close(http2.constants.NGHTTP2_CANCEL))
  }

  async #keeper(): Promise<http2.ClientHttp2Session | null> {
    if (this.#session && !this.#session.destroyed && !this.#session.closed) return this.#session
    return new Promise((resolve) => {
      const go = (session: http2.ClientHttp2Session | null) => {
        clearTimeout(timer)
        resolve(session)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(go)
        resolve(null)
      }, holdMs)
      this.#waiting.add(go)
    })
  }
}

function listenOnLoopback(server: http.Server, port: number): http.Server {
  server.keepAliveTimeout = 30_000
  return server.listen(port, '127.0.0.1')
}

function refuse(response: http.ServerResponse, status: number, detail: string): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${detail}\n`)
}

function refuseTunnel(socket: Duplex, status: number, detail: string): void {
  if (socket.destroyed || !socket.writable) return
  const body = Buffer.from(`${detail}\n`)
  const reason = http.STATUS_CODES[status] ?? 'Refused'
  const head = `HTTP/1.1 ${status} ${reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  socket.end(Buffer.concat([Buffer.from(head), body]))
}
