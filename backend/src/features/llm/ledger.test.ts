import type { AgentId, RunId } from '@guildhall/protocol/ids.ts'
import { expect, test } from 'vitest'
import { newId } from '../../platform/ids.ts'
import { createLog } from '../../platform/log.ts'
import { freshDatabase } from '../../testing/database.ts'
import { startModelServer } from '../../testing/model-server.ts'
import type { Fault } from '../../testing/scenarios/scenario.ts'
import { freshProject, freshUser } from '../../testing/world.ts'
import { createAuthorize } from '../projects/authorize.ts'
import { createUsageService } from '../usage/service.ts'
import { createLlmService, type ModelCallError } from './service.ts'

test('the ledger equals the model server’s own log: answered, retried, broken and failed calls', async () => {
  const database = await freshDatabase()
  const { db } = database
  const usage = createUsageService({ db, authorize: createAuthorize({ db }) })
  const owner = await freshUser(db)
  const projectId = await freshProject(db, owner)
  const faults: (Fault | null)[][] = [
    [],
    [
      { kind: 'cut', afterBytes: 1_200 },
      { kind: 'status', status: 529 },
    ],
    [{ kind: 'cut', afterBytes: 10 }],
    Array.from({ length: 3 }, (): Fault => ({ kind: 'cut', afterBytes: 900 })),
    [{ kind: 'status', status: 400 }],
  ]
  let next = 0
  const server = await startModelServer({
    scenario: {
      name: 'ledger',
      answer: () => ({ text: 'Some words that cost something. '.repeat(9), faults: faults[next] }),
    },
  })
  try {
    const llm = createLlmService({
      config: { anthropic: { apiKey: 'k', baseUrl: server.baseUrl } },
      log: createLog({ level: 'silent' }),
      limits: { attempts: 3, baseDelayMs: 1, maxDelayMs: 2 },
    })
    const outcomes: string[] = []
    for (next = 0; next < faults.length; next++) {
      const runId = newId<RunId>()
      const agent = {
        kind: 'agent',
        agentId: newId<AgentId>(),
        runId,
        role: 'engineer',
        onBehalfOf: owner.userId,
      } as const
      const { userId } = owner
      const model = 'claude-sonnet-5-5'
      const about = { userId, projectId, runId, step: 1, role: 'engineer', provider: 'anthropic', model } as const
      const worst = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0 }
      const call = { ...about, prices: llm.prices(model), worst }
      const id = await db.as(agent, (tx) => usage.begin(tx, call))
      const request = {
        model,
        system: `engineer · banner · ${runId}`,
        messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Begin.' }] }],
        tools: [],
        maxTokens: 1_000,
      }
      try {
        const answer = await llm.stream(request, { signal: new AbortController().signal, onText: () => undefined })
        await db.as(agent, (tx) => usage.settle(tx, agent, id, answer.usage))
        outcomes.push('answered')
      } catch (error) {
        const failure = error as ModelCallError
        await db.as(agent, (tx) => usage.fail(tx, agent, id, failure.usage))
        outcomes.push(failure.kind)
      }
    }
    expect(outcomes).toEqual(['answered', 'answered', 'answered', 'network', 'request'])
    const sum = (name: 'input_tokens' | 'output_tokens' | 'cache_read_input_tokens' | 'cache_creation_input_tokens') =>
      server.wire.reduce((total, entry) => total + (entry.told?.[name] ?? 0), 0)
    const summary = await usage.summary(owner, projectId)
    expect(summary).toMatchObject({
      calls: faults.length,
      inputTokens: sum('input_tokens'),
      outputTokens: sum('output_tokens'),
      cacheReadTokens: sum('cache_read_input_tokens'),
      cacheWriteTokens: sum('cache_creation_input_tokens'),
    })
    const picos =
      2_000_000n * BigInt(summary.inputTokens) +
      10_000_000n * BigInt(summary.outputTokens) +
      100_000n * BigInt(summary.cacheReadTokens) +
      2_500_000n * BigInt(summary.cacheWriteTokens)
    // Six places, half up, of picodollars.
    const micros = ((picos + 500_000n) / 1_000_000n).toString().padStart(7, '0')
    expect(summary.costUsd).toBe(`${micros.slice(0, -6)}.${micros.slice(-6)}`)
    expect(summary.inputTokens).toBeGreaterThan(0)
  } finally {
    await server.close()
    await database.close()
  }
})
