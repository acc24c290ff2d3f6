import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { notFound } from '../platform/errors.ts'
import { pathOf } from '../platform/http/problem.ts'

const aYearMs = 365 * 24 * 3_600_000

/** Serves the built page: hashed assets for ever, everything else asks again; unknown paths are the page's own routes. */
export async function addPage(app: FastifyInstance, distDir: string): Promise<void> {
  await app.register(fastifyStatic, { root: distDir, serve: false })
  app.get('/*', { config: { access: 'public' }, schema: { hide: true } }, async (request, reply) => {
    const path = pathOf(request)
    if (path === '/api' || path.startsWith('/api/') || path === '/ws') throw notFound('This address')
    const name = decodeURIComponent(path).slice(1)
    if (name.startsWith('assets/')) return reply.sendFile(name, { immutable: true, maxAge: aYearMs })
    const isFile = name !== '' && !name.includes('..') && /\.[a-z0-9]+$/i.test(name)
    if (isFile) return reply.sendFile(name, { maxAge: 0 })
    if (!existsSync(join(distDir, 'index.html'))) {
      return reply.code(503).type('text/plain').send('The page is not built yet: npm run build\n')
    }
    return reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false })
  })
}
