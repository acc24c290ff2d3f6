import type { Actor } from '@guildhall/protocol/actor.ts'

/** What may be done in a project: viewers read, editors work, owners manage. */
export type Action = 'project.read' | 'project.work' | 'project.manage'

/**
 * Who may call a route. Every route declares one, or the server refuses to boot. `admin` is a platform admin and gives
 * no rights inside projects; a project action is checked against `params.projectId`.
 */
export type Access = 'public' | 'user' | 'admin' | Action

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  interface FastifyRequest {
    /** Who asks. Reading it on a public route throws: nobody was asked to sign in there. */
    readonly actor: Actor & { kind: 'user' }
  }
}
