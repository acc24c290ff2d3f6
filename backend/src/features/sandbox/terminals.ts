import type { Actor } from '@guildhall/protocol/actor.ts'
import type { ProjectId, TerminalId } from '@guildhall/protocol/ids.ts'
import type { Terminal } from '@guildhall/protocol/sandbox.ts'
import { z } from 'zod'
import { notFound } from '../../platform/errors.ts'
import { newId } from '../../platform/ids.ts'
import type { Authorize } from '../projects/service.ts'
import type { TerminalDoor } from '../realtime/service.ts'
import { attachTerminal } from './session/attach.ts'
import { Empty, PtyListing, PtyOpened, type Pty } from './session/messages.ts'
import type { OpenSession } from './session/session.ts'

/** What we wrote on the terminal when it was opened, as the sandbox hands it back. */
const Label = z.object({ branch: z.string().max(200) })

/** Interactive terminals of a project's sandbox. They live inside it; nothing about them is stored here. */
export function createTerminals({
  authorize,
  wake,
  running,
  ensureWorkTree,
}: {
  authorize: Authorize
  wake: (projectId: ProjectId) => Promise<OpenSession>
  /** The session when the sandbox runs; a sleeping one has no terminals. */
  running: (projectId: ProjectId) => Promise<OpenSession | null>
  ensureWorkTree: (projectId: ProjectId, branch: string) => Promise<{ path: string; port: number }>
}) {
  const listOf = async (session: OpenSession) => (await session.connection.ask('pty-list', {}, PtyListing)).ptys

  const door: TerminalDoor = {
    async open(actor, { projectId, terminalId, branch, cols, rows }) {
      await authorize(actor, 'project.work', { projectId })
      if (terminalId) {
        const session = await running(projectId)
        const known = session && (await listOf(session)).some(({ id, exited }) => id === terminalId && !exited)
        if (!known) throw notFound('Terminal')
        const attached = await attachTerminal(session.connection, terminalId)
        attached.resize(cols, rows)
        return attached
      }
      const { path, port } = await ensureWorkTree(projectId, branch)
      const session = await wake(projectId)
      const id = newId<TerminalId>()
      const label = JSON.stringify({ branch })
      const cwd = session.paths.folder(path)
      await session.connection.ask('pty-open', { id, label, cwd, env: { PORT: String(port) }, cols, rows }, PtyOpened)
      return attachTerminal(session.connection, id)
    },
  }

  return {
    door,
    async list(actor: Actor, projectId: ProjectId): Promise<Terminal[]> {
      await authorize(actor, 'project.work', { projectId })
      const session = await running(projectId)
      const ptys = session ? await listOf(session) : []
      return ptys.filter(({ exited }) => !exited).map((pty) => shown(projectId, pty))
    },
    /** Ends a terminal and all that runs in it. Throws `not_found`. */
    async remove(actor: Actor, projectId: ProjectId, terminalId: TerminalId): Promise<void> {
      await authorize(actor, 'project.work', { projectId })
      const session = await running(projectId)
      const known = session && (await listOf(session)).some(({ id }) => id === terminalId)
      if (!known) throw notFound('Terminal')
      await session.connection.ask('pty-kill', { id: terminalId }, Empty)
    },
  }
}

function shown(projectId: ProjectId, { id, label, cols, rows, createdAt }: Pty): Terminal {
  return { id: id as TerminalId, projectId, branch: branchOf(label), cols, rows, createdAt }
}

function branchOf(label: string): string {
  try {
    return Label.parse(JSON.parse(label)).branch
  } catch {
    // Project code can open terminals by itself and write anything on them.
    return 'main'
  }
}
