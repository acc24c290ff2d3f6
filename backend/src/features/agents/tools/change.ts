import { z } from 'zod'
import { isAppError } from '../../../platform/errors.ts'
import { called } from '../roles/role.ts'
import { sha256, shortHash } from './files.ts'
import { done, refuse, type ToolCall, type ToolContext, type ToolOutcome } from './tool.ts'

/** What `edit` and `write` store before they touch the file: enough to tell later whether it was done. */
const Intent = z.object({ before: z.string().nullable(), after: z.string(), text: z.string(), figure: z.string() })

export interface Change {
  bytes: Buffer
  text: string
  figure: string
}

export interface KnownFile {
  bytes: Buffer
  hash: string
}

/**
 * A change of one file in three moves: work out, store the hashes, write only if the file still is what it was. After
 * a crash the hashes tell whether it happened; if not it is done anew, so it happens once either way.
 */
export function changeFile(
  title: string,
  path: string,
  context: ToolContext,
  workOut: (file: KnownFile | null) => Change | { refusal: string },
): ToolCall {
  const full = `${context.root}/${path}`
  let ready: { bytes: Buffer; intent: z.infer<typeof Intent> } | null = null

  async function prepare(): Promise<ToolOutcome | null> {
    const outside = outsideOf(context, path)
    if (outside) return refuse(outside)
    const file = await context.session.readFile(full)
    const known = context.seen.get(path)
    if (file && known === undefined) return refuse(`${path} was not read in this run. read it first.`)
    if (file && known !== file.hash)
      return refuse(`${path} has changed since you read it (hash ${shortHash(file.hash)}). read it again.`)
    const change = workOut(file)
    if ('refusal' in change) return refuse(change.refusal)
    const { bytes, text, figure } = change
    ready = { bytes, intent: { before: file?.hash ?? null, after: sha256(bytes), text, figure } }
    return null
  }

  async function write(): Promise<ToolOutcome> {
    const { bytes, intent } = ready!
    try {
      await context.session.writeFile(full, bytes, { expectedHash: intent.before, step: context.step() })
    } catch (error) {
      if (isAppError(error, 'stale')) return refuse(`${path} has changed since you read it. read it again.`)
      throw error
    }
    return written(intent)
  }

  const written = ({ text, figure, after }: z.infer<typeof Intent>) =>
    done(text, { figure, seen: { path, hash: after } })

  return {
    title,
    async intend() {
      const refusal = await prepare()
      return refusal ? { outcome: refusal } : { intent: ready!.intent }
    },
    run: write,
    async resume(stored) {
      const intent = Intent.parse(stored)
      const file = await context.session.readFile(full)
      if (file?.hash === intent.after) return written(intent)
      return (await prepare()) ?? write()
    },
  }
}

function outsideOf({ role }: ToolContext, path: string): string | null {
  if (!role.writesUnder || role.writesUnder.some((folder) => path.startsWith(folder))) return null
  const where = role.writesUnder.length > 0 ? `only under ${role.writesUnder.join(', ')}` : 'no files'
  return `${path} is not yours: the ${called(role)} writes ${where}. Say in your summary what should change there.`
}
