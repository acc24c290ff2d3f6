import { type ModelInfo, ModelList } from '@guildhall/protocol/llm.ts'
import { queryOptions } from '@tanstack/react-query'
import { request } from '../../lib/request.ts'

export const modelList = () =>
  queryOptions({
    queryKey: ['models'],
    queryFn: ({ signal }) => request(ModelList, '/api/models', { signal }),
    staleTime: 60_000,
  })

/** The model that answers here: the project's own choice, else the default. Null when none is set up. */
export const modelInUse = ({ items, defaultModel }: ModelList, wanted: string | null): ModelInfo | null =>
  items.find((model) => model.available && model.id === (wanted ?? defaultModel)) ?? null

export const modelName = (model: ModelInfo): string => (model.scripted ? 'Scripted rehearsal' : model.label)
