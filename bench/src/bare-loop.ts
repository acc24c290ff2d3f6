import { readFile } from 'node:fs/promises'
import Anthropic from '@anthropic-ai/sdk'
import type { MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages'

/** The floor: the official SDK, one tool, nothing stored, no sandbox, no permission. */
const client = new Anthropic({ baseURL: process.argv[2]!, apiKey: 'bench', maxRetries: 0 })
const messages: MessageParam[] = [{ role: 'user', content: 'Read.' }]
for (;;) {
  const answer = await client.messages
    .stream({
      model: 'rehearsal',
      max_tokens: 1_000,
      system: 'dev_manager · - · 00000000-0000-7000-8000-000000000000',
      tools: [{ name: 'read', input_schema: { type: 'object' } }],
      messages,
    })
    .finalMessage()
  messages.push({ role: 'assistant', content: answer.content })
  const results: ToolResultBlockParam[] = []
  for (const block of answer.content)
    if (block.type === 'tool_use')
      results.push({ type: 'tool_result', tool_use_id: block.id, content: await readFile('package.json', 'utf8') })
  if (results.length === 0) break
  messages.push({ role: 'user', content: results })
}
