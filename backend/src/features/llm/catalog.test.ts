import { ModelList } from '@guildhall/protocol/llm.ts'
import { expect, test } from 'vitest'
import { isAppError } from '../../platform/errors.ts'
import { createCatalog } from './catalog.ts'

const anthropic = { apiKey: 'k' }
const failure = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    if (isAppError(error)) return { code: error.code, detail: error.message }
    throw error
  }
  return null
}

test('without a key every model is listed as not available and the refusal says what to do', () => {
  const catalog = createCatalog({ anthropic: null })
  expect(ModelList.parse(catalog.list())).toMatchObject({ defaultModel: null })
  expect(catalog.list().items.every((model) => !model.available && !model.scripted)).toBe(true)
  expect(failure(() => catalog.resolve(null))).toMatchObject({
    code: 'no_model',
    detail: expect.stringMatching(/ANTHROPIC_API_KEY.*make demo/s) as string,
  })
})

test('with a key the default is used unless another known model is asked for', () => {
  const catalog = createCatalog({ anthropic, defaultModel: 'claude-opus-5-5' })
  expect([catalog.resolve(null), catalog.resolve('claude-haiku-5-5')]).toEqual(['claude-opus-5-5', 'claude-haiku-5-5'])
  expect(catalog.list().items.every((model) => model.available && model.prices.source && model.prices.asOf)).toBe(true)
})

test('a model without a price is refused before anything is sent', () => {
  expect(failure(() => createCatalog({ anthropic }).resolve('gpt-99'))).toMatchObject({ code: 'no_model' })
  expect(failure(() => createCatalog({ anthropic, defaultModel: 'gpt-99' }).resolve(null))).toMatchObject({
    code: 'no_model',
  })
})

test('the rehearsal is one model, marked as scripted and free of charge, and never on a real provider', () => {
  const config = { anthropic: { apiKey: 'k', baseUrl: 'http://127.0.0.1:4999' }, modelLabel: 'Scripted rehearsal' }
  const catalog = createCatalog(config)
  expect(ModelList.parse(catalog.list())).toMatchObject({
    defaultModel: 'rehearsal',
    items: [{ id: 'rehearsal', label: 'Scripted rehearsal', scripted: true, prices: { input: '0', output: '0' } }],
  })
  for (const baseUrl of [null, 'https://api.anthropic.com', 'http://127.0.0.1.example.com'])
    expect(() => createCatalog({ ...config, anthropic: { apiKey: 'k', baseUrl } })).toThrow(/rehearsal/)
})
