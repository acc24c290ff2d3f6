import type { ModelMessage, TextPart, ToolResultPart } from '../llm/service.ts'
import type { Step } from './ledger.ts'

/**
 * The conversation with the model, rebuilt from what is stored: the first message, then each answer exactly as it came
 * and the results of its calls. Only ever appended to, so that the provider's cache of the prefix holds.
 */
export function messagesOf(first: string, steps: readonly Step[]): ModelMessage[] {
  const messages: ModelMessage[] = []
  let said: (TextPart | ToolResultPart)[] = [{ type: 'text', text: first }]
  for (const step of steps) {
    if (step.kind === 'tool') {
      if (!step.output) continue
      const { text } = step.output
      said.push({ type: 'tool_result', toolUseId: step.input.use.id, text, isError: step.state !== 'done' })
      continue
    }
    said.push(...step.input.notes.map((text): TextPart => ({ type: 'text', text })))
    if (!step.output) continue
    const isEmpty = !step.output.parts.some(
      (part) => part.type === 'tool_use' || (part.type === 'text' && part.text !== ''),
    )
    messages.push({ role: 'user', content: said })
    // Providers refuse an assistant's message without content.
    messages.push({ role: 'assistant', content: isEmpty ? [{ type: 'text', text: '(no answer)' }] : step.output.parts })
    said = []
  }
  if (said.length > 0) messages.push({ role: 'user', content: said })
  return messages
}
