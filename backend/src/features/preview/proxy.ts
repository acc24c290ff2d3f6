import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { towardsApp, towardsBrowser } from './headers.ts'
import { inserted, isOpenPage, pageScript, wantsScript } from './page-script.ts'

export interface Target {
  /** A fresh stream to the app; one request each, so that no bytes of one can reach another. */
  dial: () => Promise<Duplex>
  port: number
  ownOrigin: string
  /** Origins whose pages may show this one in a frame. */
  ancestors: string[]
}

const connector = (stream: Duplex) =>
  ({ createConnection: () => stream }) as Pick<http.RequestOptions, 'createConnection'>

/**
 * Passes one request through, streaming both ways. Throws when the app could not be reached before anything was
 * answered; a cut after that ends the browser's connection, so that it is not taken for the end of the answer.
 */
export async function passRequest(request: IncomingMessage, response: ServerResponse, target: Target): Promise<void> {
  const stream = await target.dial()
  if (response.destroyed) return void stream.destroy()
  const isPage = wantsScript(request)
  await new Promise<void>((done, fail) => {
    const upstream = http.request({
      ...connector(stream),
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: towardsApp(request, { ...target, isPlain: isPage }),
      setHost: false,
    })
    const end = (error?: Error) => {
      upstream.destroy()
      stream.destroy()
      if (!error) return done()
      if (!response.headersSent && !response.destroyed) return fail(error)
      response.destroy()
      done()
    }
    upstream.on('error', end)
    upstream.on('response', (answer) => {
      // An app may say what Node reads and will not write (an odd status); thrown in here it would end the process. Its
      // own words beside the status are left out: browsers do not show them.
      const { statusCode = 0 } = answer
      if (statusCode < 200 || statusCode > 599) return end(new Error(`The app answered with status ${statusCode}`))
      // A page that the browser kept has the script in it already; its policy is renewed by this answer.
      const script = isPage && (statusCode === 304 || isOpenPage(answer)) ? pageScript(target.ancestors) : null
      try {
        response.writeHead(statusCode, towardsBrowser(answer, { ...target, script }))
      } catch (error) {
        return end(error instanceof Error ? error : new Error(String(error)))
      }
      // Events and slow pages must be seen to have begun.
      response.flushHeaders()
      answer.on('error', end)
      if (script) answer.pipe(inserted(script.tag)).pipe(response)
      else answer.pipe(response)
      response.on('finish', () => end())
    })
    response.on('error', () => end())
    response.on('close', () => end())
    request.on('error', end)
    request.pipe(upstream)
  })
}

const line = (answer: IncomingMessage) => `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`
const headOf = (answer: IncomingMessage, headers: string[]) => {
  let text = line(answer)
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return `${text}\r\n`
}

/** Passes a WebSocket through as bytes. The app's own refusal reaches the browser as it is. */
export async function passUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: Target,
): Promise<void> {
  const stream = await target.dial()
  if (socket.destroyed) return void stream.destroy()
  const upstream = http.request({
    ...connector(stream),
    method: 'GET',
    path: request.url ?? '/',
    headers: towardsApp(request, { ...target, isUpgrade: true }),
    setHost: false,
  })
  await new Promise<void>((done, fail) => {
    let hasAnswered = false
    const end = (error?: Error) => {
      upstream.destroy()
      stream.destroy()
      if (error && !hasAnswered) return fail(error)
      socket.destroy()
      done()
    }
    upstream.on('error', end)
    socket.on('error', () => end())
    socket.on('close', () => end())
    upstream.on('upgrade', (answer, inner, innerHead) => {
      hasAnswered = true
      const headers = towardsBrowser(answer, target)
      socket.write(headOf(answer, [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket']))
      if (innerHead.length > 0) socket.write(innerHead)
      if (head.length > 0) inner.write(head)
      inner.on('error', () => end())
      inner.on('close', () => end())
      inner.pipe(socket).pipe(inner)
    })
    upstream.on('response', (answer) => {
      hasAnswered = true
      socket.write(headOf(answer, [...towardsBrowser(answer, target), 'Connection', 'close']))
      answer.pipe(socket)
      answer.on('error', end)
    })
    upstream.end()
  })
}
