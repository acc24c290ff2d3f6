import { type HealthPart, Liveness, Readiness } from '@guildhall/protocol/health.ts'
import type { FastifyPluginAsyncZod } from '../platform/http/zod.ts'
import { version } from './version.ts'

/** Asks one part how it is; a throw or no answer within the time is `failing`, with the reason. */
export interface HealthProbe {
  name: string
  probe(): Promise<Omit<HealthPart, 'name'>>
}

const probeTimeoutMs = 2_000

export const healthRoutes: FastifyPluginAsyncZod<{ probes: HealthProbe[] }> = async (app, { probes }) => {
  app.get(
    '/live',
    { config: { access: 'public' }, schema: { summary: 'The process answers', response: { 200: Liveness } } },
    async () => ({ status: 'ok' as const, version }),
  )
  app.get(
    '/ready',
    {
      config: { access: 'public' },
      schema: { summary: 'Each part this process needs', response: { 200: Readiness, 503: Readiness } },
    },
    async (_request, reply) => {
      const parts = await Promise.all(probes.map(ask))
      const status = parts.some((part) => part.status === 'failing') ? 'failing' : 'ok'
      return reply.code(status === 'ok' ? 200 : 503).send({ status, parts })
    },
  )
}

/** Every call asks anew, so a part that comes back is green without a restart. */
async function ask({ name, probe }: HealthProbe): Promise<HealthPart> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${probeTimeoutMs / 1000} s`)), probeTimeoutMs)
  })
  try {
    return { name, ...(await Promise.race([probe(), tooLate])) }
  } catch (error) {
    return { name, status: 'failing', detail: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}
