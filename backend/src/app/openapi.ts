import swagger from '@fastify/swagger'
import { Problem } from '@guildhall/protocol/problem.ts'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { jsonSchemaTransform } from '../platform/http/zod.ts'

const anyProblem = {
  description: 'A problem (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

/** OpenAPI 3.1 from the zod schemas of the routes. Register before the routes. */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  const { $schema: _, ...problem } = z.toJSONSchema(Problem)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Guildhall',
        version,
        description:
          'Also served under /api/v1 with the same answers. Every write takes `Idempotency-Key`: the same one with the ' +
          'same request is carried out once and answered alike for 24 hours.',
      },
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
        schemas: { Problem: problem as object },
      },
    },
    transform(input) {
      const { schema, url } = jsonSchemaTransform(input)
      const access = input.route.config?.access ?? 'public'
      return {
        url,
        schema: {
          ...schema,
          tags: schema.tags ?? [url.split('/')[2] ?? 'api'],
          description: `${schema.description ?? ''}\n\nAccess: ${access}`.trim(),
          security: access === 'public' ? [] : [{ bearer: [] }],
          response: { ...(schema.response as object), default: anyProblem },
        } as typeof schema,
      }
    },
  })
}

/** The document and a plain page that lists it; registered after the routes. */
export function addApiDocs(app: FastifyInstance): void {
  const open = { config: { access: 'public' }, schema: { hide: true } } as const
  app.get('/api/openapi.json', open, async () => app.swagger())
  app.get('/api/docs', open, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(page(app.swagger() as ApiDocument)),
  )
}

const escape = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

interface ApiDocument {
  paths?: Record<string, Record<string, { summary?: string; description?: string }>>
}

function page(document: ApiDocument): string {
  const rows = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        `<tr><td><code>${escape(method.toUpperCase())}</code><td><code>${escape(path)}</code>` +
        `<td>${escape(operation.summary ?? '')} ${escape(operation.description ?? '')}`,
    ),
  )
  return `<!doctype html><html lang="en"><title>Guildhall API</title>
<style>body{font:15px/1.5 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}td{padding:.2rem .8rem .2rem 0;vertical-align:top}</style>
<h1>Guildhall API</h1><p>Machine-readable: <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1).</p>
<table>${rows.join('\n')}</table></html>`
}
