import { ConfigError } from '../platform/config.ts'

/** Runs a program's story; what goes wrong ends it with plain lines for a person, and a stack only for a bug. */
export async function main(story: () => Promise<void>): Promise<void> {
  try {
    await story()
  } catch (error) {
    const lines = error instanceof ConfigError ? error.faults : [error instanceof Error ? error.stack : String(error)]
    for (const line of lines) console.error(line)
    process.exit(1)
  }
}
