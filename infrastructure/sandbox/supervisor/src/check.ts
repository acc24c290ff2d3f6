import { Failure, type Step } from './wire.ts'

/**
 * Arguments of a call as they came off the wire. The platform sends well-formed ones; project code may reach the
 * socket too (it runs under the same user), and must not be able to crash the supervisor with nonsense.
 */
export class Arguments {
  readonly #values: Record<string, unknown>

  constructor(json: Buffer) {
    let parsed: unknown
    try {
      parsed = JSON.parse(json.toString('utf8'))
    } catch (error) {
      throw new Failure('bad_request', `The call is not JSON: ${(error as Error).message}`)
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new Failure('bad_request', 'The call is not an object')
    }
    this.#values = parsed as Record<string, unknown>
  }

  text(name: string, maxLength = 4_096): string {
    const value = this.#values[name]
    if (typeof value !== 'string' || value.length > maxLength || value.includes('\0')) throw wrong(name)
    return value
  }

  optionalText(name: string, maxLength = 4_096): string | null {
    return this.#values[name] === undefined || this.#values[name] === null ? null : this.text(name, maxLength)
  }

  int(name: string, min: number, max: number): number {
    const value = this.#values[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) throw wrong(name)
    return value
  }

  optionalInt(name: string, min: number, max: number): number | null {
    return this.#values[name] === undefined || this.#values[name] === null ? null : this.int(name, min, max)
  }

  flag(name: string): boolean {
    const value = this.#values[name]
    if (value !== undefined && typeof value !== 'boolean') throw wrong(name)
    return value === true
  }

  argv(name: string): string[] {
    const value = this.#values[name]
    if (!Array.isArray(value) || value.length === 0 || value.length > 4_096) throw wrong(name)
    for (const word of value) if (typeof word !== 'string' || word.includes('\0')) throw wrong(name)
    if (value[0] === '') throw wrong(name)
    return value as string[]
  }

  env(name: string): Record<string, string> {
    const value = this.#values[name] ?? {}
    if (typeof value !== 'object' || Array.isArray(value)) throw wrong(name)
    for (const [key, text] of Object.entries(value as object)) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key) || typeof text !== 'string' || text.includes('\0')) throw wrong(name)
    }
    return value as Record<string, string>
  }

  step(): Step | null {
    const value = this.#values['step']
    if (value === undefined || value === null) return null
    const step = value as Partial<Step>
    const isShort = (text: unknown) => typeof text === 'string' && text.length > 0 && text.length <= 200
    if (!isShort(step.runId) || !isShort(step.stepId) || !Number.isSafeInteger(step.epoch)) throw wrong('step')
    return { runId: step.runId!, epoch: step.epoch!, stepId: step.stepId! }
  }

  /** The hash a file must have before it is replaced: undefined = any, null = the file must not exist. */
  expectedHash(): string | null | undefined {
    const value = this.#values['expectedHash']
    if (value === undefined || value === null) return value
    if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw wrong('expectedHash')
    return value
  }
}

const wrong = (name: string) => new Failure('bad_request', `The argument ${name} is missing or wrong`)
