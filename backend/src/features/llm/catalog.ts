import { readFileSync } from 'node:fs'
import type { ModelInfo, ModelList } from '@guildhall/protocol/llm.ts'
import { z } from 'zod'
import { AppError } from '../../platform/errors.ts'
import type { CallPrices } from './types.ts'

const Price = z.string().regex(/^\d+(\.\d{1,6})?$/)
const Rates = z.strictObject({ input: Price, output: Price, cacheRead: Price, cacheWrite: Price })
const PriceList = z.strictObject({
  source: z.string(),
  asOf: z.iso.date(),
  unit: z.string(),
  models: z.array(
    Rates.extend({
      id: z.string(),
      label: z.string(),
      contextTokens: z.int(),
      maxOutputTokens: z.int(),
      thinking: z.boolean(),
      longPrompt: Rates.extend({ overTokens: z.int() }).optional(),
    }),
  ),
})

const priceList = PriceList.parse(JSON.parse(readFileSync(new URL('./prices.json', import.meta.url), 'utf8')))

/** A model with what the adapter and the ledger need beside the public facts. */
export type CatalogModel = { info: ModelInfo; prices: CallPrices; maxOutputTokens: number; thinking: boolean }

/** The part of the configuration that models need; the whole Config fits. */
export type ModelConfig = {
  anthropic: { apiKey: string; baseUrl?: string | null } | null
  defaultModel?: string | null
  modelLabel?: string | null
}

export const rehearsalModel = 'rehearsal'
const usualModel = 'claude-sonnet-5-5'

function rehearsal(label: string): CatalogModel {
  const prices = {
    input: '0',
    output: '0',
    cacheRead: '0',
    cacheWrite: '0',
    source: 'A script answers; no model is called and nothing is billed',
    asOf: priceList.asOf,
  }
  const info = {
    id: rehearsalModel,
    label,
    provider: 'rehearsal',
    scripted: true,
    available: true,
    contextTokens: 200_000,
    prices,
  }
  return { info, prices, maxOutputTokens: 32_000, thinking: false }
}

function claudeModels(available: boolean): CatalogModel[] {
  const { source, asOf } = priceList
  return priceList.models.map((entry) => {
    const { id, label, contextTokens, maxOutputTokens, thinking, longPrompt, ...rates } = entry
    const prices: CallPrices = { ...rates, source, asOf, ...(longPrompt && { longPrompt }) }
    const shown = { ...rates, source, asOf }
    const info = { id, label, provider: 'anthropic', scripted: false, available, contextTokens, prices: shown }
    return { info, prices, maxOutputTokens, thinking }
  })
}

const isLoopback = (url: string) => /^(127(\.\d+){3}|localhost|\[::1\])$/.test(new URL(url).hostname)

/** Which models there are, which one is meant, and what it costs. Pure: decided once from the configuration. */
export function createCatalog(config: ModelConfig) {
  const label = config.modelLabel
  // The label makes calls free of charge and marks them as scripted, so it must never sit on a real provider.
  if (label && !(config.anthropic?.baseUrl && isLoopback(config.anthropic.baseUrl)))
    throw new Error('MODEL_LABEL belongs to the scripted rehearsal, which needs ANTHROPIC_BASE_URL on this machine')
  const models = label ? [rehearsal(label)] : claudeModels(config.anthropic !== null)
  const byId = new Map(models.map((model) => [model.info.id, model]))
  const defaultModel = config.anthropic ? (config.defaultModel ?? (label ? rehearsalModel : usualModel)) : null

  function find(id: string): CatalogModel {
    const model = byId.get(id)
    // A model without a price is refused before anything is sent: it must not run free.
    if (!model)
      throw new AppError('no_model', `The model "${id}" is not known here. Known: ${[...byId.keys()].join(', ')}.`)
    return model
  }

  return {
    list: (): ModelList => ({ items: models.map((model) => model.info), defaultModel }),
    find,
    /** The model to use when `wanted` is asked for, or the default. Throws `no_model` with what to do. */
    resolve(wanted: string | null): string {
      if (!config.anthropic || !defaultModel)
        throw new AppError(
          'no_model',
          'No model is set up. Put ANTHROPIC_API_KEY into the file .env and start again, or run `make demo` to watch the scripted rehearsal.',
        )
      return find(wanted ?? defaultModel).info.id
    },
  }
}
