/**
 * The one door to the zod type provider. The official `@fastify/type-provider-zod` 1.0.0 has the same API but refuses
 * `application/problem+json` response schemas today; when it accepts them, change this file only.
 */
export {
  type FastifyPluginAsyncZod,
  type ZodTypeProvider,
  hasZodFastifySchemaValidationErrors,
  isResponseSerializationError,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
