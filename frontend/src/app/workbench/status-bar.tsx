import { useQuery } from '@tanstack/react-query'
import { Box, GitBranch, Globe, HardDrive, ShieldAlert, TriangleAlert } from 'lucide-react'
import { previewOf } from '../../features/preview/api.ts'
import { projectLog, useSocketStatus } from '../../features/realtime/api.ts'
import { allowedHosts, diskNote, isolationNote, sandboxWord } from '../../features/sandbox/api.ts'
import { cn } from '../../lib/cn.ts'
import { groupedNumber, shortSha } from '../../lib/format.ts'
import type { SocketStatus } from '../../lib/socket.ts'
import { type Bench, isBeingMade } from './bench.ts'

const words: Record<SocketStatus, string> = {
  open: 'Connected',
  connecting: 'Connecting…',
  waiting: 'Reconnecting…',
  closed: 'Offline',
}

const segment =
  'inline-flex min-w-0 items-center gap-1.5 whitespace-nowrap [&>svg]:size-3.5 [&>svg]:shrink-0 [&>svg]:text-fg-3'

export function StatusBar({ bench }: { bench: Bench }) {
  const { projectId, detail } = bench
  const { container, project, head } = detail
  const status = useSocketStatus()
  const log = useQuery({ ...projectLog(projectId), select: ({ head, unreadable }) => ({ head, unreadable }) })
  const hosts = useQuery({ ...allowedHosts(projectId), select: ({ length }) => length }).data ?? 0
  const disk = container.disk && container.state !== 'none' ? diskNote(container.disk) : null
  const ended = container.disk?.ended ?? []
  const preview = useQuery({ ...previewOf(projectId, project.defaultBranch), enabled: !isBeingMade(bench) })
  return (
    <footer className="flex h-[26px] shrink-0 items-center gap-5 overflow-hidden border-t border-line bg-surface-1 px-4 text-xs text-fg-2 tabular">
      <span className={segment} role="status">
        <span
          aria-hidden
          className={cn(
            'size-2 rounded-full',
            status === 'open' ? 'bg-ok' : status === 'closed' ? 'bg-bad' : 'animate-breathe bg-warn',
          )}
        />
        {words[status]}
        {log.data && ` · event ${groupedNumber(log.data.head)}`}
      </span>
      {log.data !== undefined && log.data.unreadable > 0 && (
        <span className={cn(segment, 'text-warn')}>
          <TriangleAlert aria-hidden /> This page is older than the server; reload it
        </span>
      )}
      <span className={segment} title={container.error ?? container.image ?? undefined}>
        {container.isolated || container.state === 'none' ? (
          <Box aria-hidden />
        ) : (
          <ShieldAlert aria-hidden className="text-warn!" />
        )}
        <button
          type="button"
          title="The sandbox: switches and logs"
          onClick={bench.onSandbox}
          className="focus-inset rounded-sm underline-offset-2 first-letter:uppercase hover:text-fg hover:underline"
        >
          {sandboxWord[container.state]}
        </button>
        {container.state !== 'none' && (
          <button
            type="button"
            title="Allowed hosts"
            onClick={bench.onHosts}
            className={cn(
              'focus-inset rounded-sm underline-offset-2 hover:underline',
              container.isolated ? 'text-fg-3 hover:text-fg' : 'text-warn',
            )}
          >
            · {isolationNote(container, hosts)}
          </button>
        )}
        {container.state === 'running' && (
          <span className="text-fg-3 max-xl:hidden">
            · {container.limits.cpus} CPU · {groupedNumber(container.limits.memoryMiB)} MiB
          </span>
        )}
      </span>
      {disk && (
        <span
          className={cn(segment, disk.isFull ? 'text-bad [&>svg]:text-bad' : 'text-warn [&>svg]:text-warn')}
          title={ended.length > 0 ? `Stopped because they went on writing: ${ended.join(', ')}` : undefined}
        >
          <HardDrive aria-hidden /> <span className="first-letter:uppercase">{disk.text}</span>
        </span>
      )}
      {preview.data?.state === 'ready' && (
        <span className={segment}>
          <Globe aria-hidden /> port {preview.data.port}
        </span>
      )}
      <span className={cn(segment, 'ml-auto')}>
        <GitBranch aria-hidden /> {project.defaultBranch}
        {head && <span className="font-mono text-fg-3">{shortSha(head)}</span>}
      </span>
    </footer>
  )
}
