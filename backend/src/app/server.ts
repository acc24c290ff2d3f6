import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import fastify, { type FastifyInstance } from 'fastify'
import type { Database } from '../platform/db/database.ts'
import { AppError, notFound } from '../platform/errors.ts'
import { addIdempotency } from '../platform/http/idempotency.ts'
import { createOwnOrigins } from '../platform/http/origins.ts'
import { storable } from '../platform/db/storable.ts'
import { pathOf, sendProblem } from '../platform/http/problem.ts'
import { serializerCompiler, validatorCompiler } from '../platform/http/zod.ts'
import { newId } from '../platform/ids.ts'
import type { Log } from '../platform/log.ts'
import { addGuard } from './guard.ts'
import { addApiDocs, addOpenApi } from './openapi.ts'
import { addRoutes } from './routes.ts'
import { addPage } from './static.ts'
import { version } from './version.ts'
import type { Services } from './services.ts'

export interface ServerConfig {
  publicUrl: string | null
  previewDomain: string
  jwtSecret: string
}

const frontendDist = new URL('../../../frontend/dist/', import.meta.url).pathname

/**
 * The API, the page and `/ws` on one port. Requests for previews are split off by host name before anything else sees
 * them. The caller listens and closes.
 */
export async function createServer({
  services,
  db,
  config,
  log,
  distDir = frontendDist,
}: {
  services: Services
  db: Database
  config: ServerConfig
  log: Log
  distDir?: string
}) {
  const { preview, hub, identity, authorize } = services
  let server: Server
  const port = () => (server.address() as AddressInfo | null)?.port ?? 0
  const origins = createOwnOrigins({ publicUrl: config.publicUrl, port })

  const app = fastify({
    logger: false,
    bodyLimit: 1024 * 1024,
    // Room for a host name; beyond it the address is refused.
    routerOptions: { maxParamLength: 300 },
    forceCloseConnections: true,
    genReqId: requestIdOf,
    // One set of routes, two prefixes: both must answer alike.
    rewriteUrl: ({ url = '/' }) => url.replace(/^\/api\/v1(?=[/?]|$)/, '/api'),
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply, log),
    serverFactory(handler) {
      server = createHttpServer((request, response) => {
        if (!preview.handle(request, response)) handler(request, response)
      })
      server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (preview.upgrade(request, socket, head)) return
        if (request.url?.split('?', 1)[0] === '/ws') hub.upgrade(request, socket, head, origins)
        else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
      })
      return server
    },
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log))
  app.setNotFoundHandler((request, reply) => sendProblem(notFound('This address'), request, reply, log))
  takeJsonOnly(app)

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (request.url.includes('%00')) throw new AppError('bad_request', 'An address holds no NUL')
    if (request.url.startsWith('/api')) reply.header('cache-control', 'no-store')
  })
  app.addHook('onResponse', async (request, reply) => {
    const { id, method, routeOptions } = request
    const ms = Math.round(reply.elapsedTime * 10) / 10
    log.info({ requestId: id, method, route: routeOptions.url, url: pathOf(request), status: reply.statusCode, ms })
  })
  const ownSockets = () =>
    origins
      .list()
      // A CSP source cannot name an IPv6 address; 'self' covers the page's own socket there.
      .filter((origin) => !origin.includes('['))
      .map((origin) => origin.replace(/^http/, 'ws'))
      .join(' ')
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        // Radix, the editor and the terminal set style attributes.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'", ownSockets],
        workerSrc: ["'self'", 'blob:'],
        frameSrc: [
          () => (config.publicUrl ? `https://*.${config.previewDomain}` : `http://*.${config.previewDomain}:${port()}`),
        ],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        objectSrc: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: config.publicUrl?.startsWith('https:') ?? false,
    xFrameOptions: { action: 'deny' },
  })
  await app.register(cookie)
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, { ttl }) => {
      const retryAfterS = Math.ceil(ttl / 1000)
      return new AppError('rate_limited', `Too many tries. Try again in ${retryAfterS} s.`, { retryAfterS })
    },
  })
  const routes = addGuard(app, { actorOf: identity.actorOf, authorize, origins })
  addIdempotency(app, { db, secret: config.jwtSecret, log })
  await addOpenApi(app, version)
  await addRoutes(app, services)
  addApiDocs(app)
  await addPage(app, distDir)
  await app.ready()
  return { app, origins, routes, port }
}
export type GuildhallServer = Awaited<ReturnType<typeof createServer>>

/** A caller's own request id is kept when it is one, so that a log can be followed across programs. */
function requestIdOf({ headers }: { headers: IncomingMessage['headers'] }): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : newId()
}

/**
 * Bodies are application/json, else 415. An empty one counts as none: clients send the header with every POST. Signs
 * that PostgreSQL cannot keep are replaced by their visible marks here, before anything is decided about the text.
 */
function takeJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined)
    void parse(request, body as string, (error, value) => {
      if (error) return done(error)
      let kept: unknown
      try {
        kept = storable(value)
      } catch (cause) {
        return done(new AppError('bad_request', 'The body is nested too deeply', { cause }))
      }
      done(null, kept)
    })
  })
}
