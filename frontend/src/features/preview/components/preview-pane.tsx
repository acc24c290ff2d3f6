import type { Preview } from '@guildhall/protocol/preview.ts'
import { useMutation, useQuery } from '@tanstack/react-query'
import {
  CircleAlert,
  ExternalLink,
  Lock,
  Monitor,
  Moon,
  MonitorPlay,
  Power,
  RefreshCw,
  Smartphone,
  Tablet,
  TriangleAlert,
} from 'lucide-react'
import { useState } from 'react'
import { Output } from '../../../components/code.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { IconButton } from '../../../components/ui/icon-button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { cn } from '../../../lib/cn.ts'
import { isProblem, messageOf } from '../../../lib/request.ts'
import { useReturns } from '../../realtime/api.ts'
import { orderPreview, previewOf, previewTicket } from '../api.ts'
import { PreviewFrame } from './preview-frame.tsx'

const devices = [
  { width: 390, label: 'Phone, 390 px', icon: Smartphone },
  { width: 768, label: 'Tablet, 768 px', icon: Tablet },
  { width: null, label: 'Full width', icon: Monitor },
] as const

interface PreviewPaneProps {
  projectId: string
  branch: string
  canWork: boolean
}

/** The running result, in a frame on another host; what it is doing while it is not there yet. */
export function PreviewPane({ projectId, branch, canWork }: PreviewPaneProps) {
  const query = useQuery(previewOf(projectId, branch))
  const [round, setRound] = useState(0)
  const returns = useReturns()
  const [width, setWidth] = useState<number | null>(null)
  const [openFault, setOpenFault] = useState<string | null>(null)
  const preview = query.data
  const isReady = preview?.state === 'ready' && preview.origin !== null

  const openElsewhere = async () => {
    // Opened at once, while the click still counts as one; the address follows with its ticket.
    const tab = window.open('about:blank', '_blank')
    try {
      const { url } = await previewTicket(projectId, branch)
      setOpenFault(null)
      if (tab) {
        tab.opener = null
        tab.location.href = url
      }
    } catch (error) {
      tab?.close()
      setOpenFault(messageOf(error))
    }
  }

  return (
    <section aria-label="Live preview" className="flex h-full min-h-0 flex-col bg-surface-1">
      <header className="hairline-b flex h-11 shrink-0 items-center gap-1.5 px-2">
        <IconButton label="Reload the preview" disabled={!isReady} onClick={() => setRound(round + 1)}>
          <RefreshCw />
        </IconButton>
        <div className="flex h-7 min-w-0 flex-1 items-center gap-2 rounded-sm border border-line bg-bg px-2.5 font-mono text-xs">
          <Lock aria-hidden className={cn('size-3.5 shrink-0', isReady ? 'text-ok' : 'text-fg-3')} />
          <span className="truncate" title={preview?.origin ?? undefined}>
            {preview?.origin ? preview.origin.replace(/^https?:\/\//, '') : 'no preview yet'}
          </span>
        </div>
        <div role="radiogroup" aria-label="Width" className="flex max-md:hidden">
          {devices.map(({ width: wanted, label, icon: Icon }) => (
            <IconButton
              key={label}
              label={label}
              role="radio"
              aria-checked={width === wanted}
              onClick={() => setWidth(wanted)}
              className={width === wanted ? 'bg-surface-3 text-fg' : undefined}
            >
              <Icon />
            </IconButton>
          ))}
        </div>
        <IconButton label="Open in a new tab" disabled={!isReady} onClick={() => void openElsewhere()}>
          <ExternalLink />
        </IconButton>
      </header>
      {openFault && (
        <p role="alert" className="px-4 py-2 text-sm text-bad">
          {openFault}
        </p>
      )}
      <div className="grid min-h-0 flex-1">
        {query.isPending ? (
          <div className="p-4">
            <Skeleton className="h-full min-h-48" />
          </div>
        ) : query.isError ? (
          <Notice
            icon={isProblem(query.error, 'no_engine', 'unavailable') ? Power : TriangleAlert}
            tone={isProblem(query.error, 'no_engine', 'unavailable') ? 'plain' : 'bad'}
            title="There is no preview"
            action={<Button onClick={() => void query.refetch()}>Try again</Button>}
          >
            {messageOf(query.error)}
          </Notice>
        ) : isReady ? (
          <PreviewFrame
            key={`${query.data.origin}.${round}.${returns}`}
            projectId={projectId}
            branch={branch}
            width={width}
          />
        ) : (
          <NotReady preview={query.data} canWork={canWork} />
        )}
      </div>
    </section>
  )
}

function NotReady({ preview, canWork }: { preview: Preview; canWork: boolean }) {
  const { projectId, branch, state, command, error, logTail } = preview
  const order = useMutation({ mutationFn: (verb: 'start' | 'restart') => orderPreview(projectId, branch, verb) })
  const button = (verb: 'start' | 'restart', label: string) =>
    canWork && (
      <Button look="primary" busy={order.isPending} onClick={() => order.mutate(verb)}>
        {label}
      </Button>
    )
  const fault = order.isError ? <p className="mt-2 text-bad">{messageOf(order.error)}</p> : null
  switch (state) {
    case 'installing':
    case 'starting':
      return (
        <div className="flex min-h-0 flex-col justify-center gap-3 p-5">
          <p role="status" className="flex items-center justify-center gap-2 font-medium">
            <Spinner /> {state === 'installing' ? 'Installing packages…' : 'Starting the dev server…'}
          </p>
          {command && <code className="text-center font-mono text-xs text-fg-3">{command}</code>}
          {logTail && <Output text={logTail} className="min-h-0" />}
        </div>
      )
    case 'crashed':
      return (
        <div className="flex min-h-0 flex-col gap-3 p-5">
          <p role="alert" className="flex items-start gap-2 font-medium">
            <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
            <span className="min-w-0 break-words">{error ?? 'The dev server stopped.'}</span>
          </p>
          <code className="font-mono text-xs text-fg-3">{command}</code>
          {logTail && <Output text={logTail} className="max-h-none min-h-0 flex-1" />}
          <div>{button('restart', 'Start again')}</div>
          {fault}
        </div>
      )
    case 'asleep':
      return (
        <Notice icon={Moon} title="The preview is asleep" action={button('start', 'Wake it')}>
          Nothing ran for a while. It is back within a second or two.{fault}
        </Notice>
      )
    default:
      return (
        <Notice icon={MonitorPlay} title="The preview is not running" action={button('start', 'Start the preview')}>
          {error ?? 'It shows main, live, each time something is merged.'}
          {fault}
        </Notice>
      )
  }
}
