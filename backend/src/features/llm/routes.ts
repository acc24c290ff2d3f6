import { ModelList } from '@guildhall/protocol/llm.ts'
import type { FastifyPluginAsyncZod } from '../../platform/http/zod.ts'
import type { LlmService } from './service.ts'

/** Mounted at /api. */
export const llmRoutes: FastifyPluginAsyncZod<{ llm: LlmService }> = async (app, { llm }) => {
  app.get('/models', { config: { access: 'user' }, schema: { response: { 200: ModelList } } }, async () => llm.models())
}
