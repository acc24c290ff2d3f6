import type { Event } from '@guildhall/protocol/events.ts'
import type { Preview } from '@guildhall/protocol/preview.ts'
import type { Project, ProjectDetail } from '@guildhall/protocol/projects.ts'
import type { QueryClient } from '@tanstack/react-query'
import { previewKeys } from '../features/preview/api.ts'
import { projectKeys } from '../features/projects/api.ts'
import {
  emptyLog,
  extendLog,
  logKey,
  type ProjectLog,
  projectTopic,
  readLog,
  useDrafts,
} from '../features/realtime/api.ts'
import { repositoryKeys } from '../features/repository/api.ts'
import { sandboxKeys } from '../features/sandbox/api.ts'
import { taskKeys } from '../features/tasks/api.ts'
import type { Delta, Socket } from '../lib/socket.ts'

/**
 * The one place where what happens reaches what is shown. The log itself is extended, and the few answers that are
 * not read from the log are brought up to date or asked for again.
 */
export function applyEvent(client: QueryClient, projectId: string, event: Event): void {
  const onDetail = (change: (detail: ProjectDetail) => ProjectDetail) =>
    client.setQueryData<ProjectDetail>(projectKeys.detail(projectId), (detail) => detail && change(detail))
  const again = (queryKey: readonly unknown[]) => void client.invalidateQueries({ queryKey })
  const withProject = (project: Project) => onDetail((detail) => ({ ...detail, project }))

  switch (event.type) {
    case 'project.created':
    case 'project.updated':
    case 'project.provisioned':
      return void withProject(event.data.project)
    case 'project.provision.advanced':
      return void onDetail((detail) => ({
        ...detail,
        project: { ...detail.project, provisioning: event.data.provisioning },
      }))
    case 'project.deleted':
      return again(projectKeys.lists)
    case 'member.added':
      return again(projectKeys.members(projectId))
    case 'member.changed':
    case 'member.removed':
      again(projectKeys.members(projectId))
      // It may be the reader's own role.
      return again(projectKeys.detail(projectId))
    case 'sandbox.changed':
      return void onDetail((detail) => ({ ...detail, container: event.data.container }))
    case 'egress.allowed':
    case 'egress.withdrawn':
      return again(sandboxKeys.hosts(projectId))
    case 'preview.changed': {
      const { preview } = event.data
      return void client.setQueryData<Preview>(previewKeys.of(projectId, preview.branch), preview)
    }
    case 'branch.created': {
      const { name, head } = event.data.branch
      onDetail((detail) => (name === detail.project.defaultBranch ? { ...detail, head } : detail))
      return again(repositoryKeys.all(projectId))
    }
    case 'branch.pushed':
      return again(repositoryKeys.all(projectId))
    case 'main.moved':
      onDetail((detail) => ({ ...detail, head: event.data.to }))
      return again(repositoryKeys.all(projectId))
    case 'task.started':
    case 'task.ticked':
    case 'task.finished':
    case 'task.checked':
    case 'task.reviewed':
    case 'task.returned':
    case 'task.queued':
    case 'task.merged':
    case 'task.failed':
    case 'task.stopped':
    case 'task.held':
    case 'task.cancelled':
      return again(taskKeys.detail(event.data.task.id))
    case 'message.sent': {
      const { id } = event.data.message
      return useDrafts.getState().drop(({ messageId }) => messageId === id)
    }
    case 'agent.run.finished': {
      const { id } = event.data.run
      return useDrafts.getState().drop(({ runId }) => runId === id)
    }
    default:
  }
}

/** Events and deltas that come within one frame are applied together: a burst is drawn once. */
const FRAME_MS = 16

/** Follows a project from where its log stands; answers how to stop. The log must have been read once. */
export function followProject(client: QueryClient, socket: Socket, projectId: string): () => void {
  const key = logKey(projectId)
  let events: Event[] = []
  let deltas: Delta[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const log = () => client.getQueryData<ProjectLog>(key) ?? emptyLog

  /** After a hole or a reset: the rest is read over HTTP, then goes the same way as what came over the socket. */
  const catchUp = async () => {
    const before = log()
    const read = await readLog(projectId, before)
    client.setQueryData(key, extendLog({ ...log(), unreadable: read.unreadable }, read.events))
    for (const event of read.events.slice(before.events.length)) applyEvent(client, projectId, event)
  }

  const flush = () => {
    timer = undefined
    const [nextEvents, nextDeltas] = [events, deltas]
    events = []
    deltas = []
    if (nextDeltas.length > 0) useDrafts.getState().join(nextDeltas)
    if (nextEvents.length === 0) return
    const before = log()
    if (nextEvents[0]!.seq > before.head + 1) {
      void catchUp()
      return
    }
    client.setQueryData(key, extendLog(before, nextEvents))
    for (const event of nextEvents) if (event.seq > before.head) applyEvent(client, projectId, event)
  }
  const soon = () => {
    timer ??= setTimeout(flush, FRAME_MS)
  }

  const leave = socket.subscribe(projectTopic(projectId), {
    after: () => log().head,
    onEvent: (event) => {
      events.push(event)
      soon()
    },
    onDelta: (delta) => {
      deltas.push(delta)
      soon()
    },
    onReset: catchUp,
    onRevoked: () => void client.invalidateQueries({ queryKey: projectKeys.detail(projectId) }),
  })
  return () => {
    leave()
    clearTimeout(timer)
    useDrafts.getState().drop(() => true)
  }
}

/** What concerns the person rather than one project: lists change, a session ends. */
export function followUser(client: QueryClient, socket: Socket, userId: string, onRevoked: () => void): () => void {
  return socket.subscribe(`user:${userId}`, {
    after: () => undefined,
    onEvent: (event) => {
      if (event.type === 'session.revoked') onRevoked()
      else void client.invalidateQueries({ queryKey: projectKeys.lists })
    },
    onReset: () => client.invalidateQueries({ queryKey: projectKeys.lists }),
  })
}
