import type { Preview } from '@guildhall/protocol/preview.ts'
import { useMutation } from '@tanstack/react-query'
import { CircleAlert, Moon, MonitorPlay } from 'lucide-react'
import { Output } from '../../../components/code.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { shortBranch } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { orderPreview } from '../api.ts'

interface PreviewStateProps {
  preview: Preview
  isMain: boolean
  canWork: boolean
}

/** What stands in the pane while there is no page: how far it is, or what went wrong in the server's own words. */
export function PreviewState({ preview, isMain, canWork }: PreviewStateProps) {
  const { projectId, branch, state, command, error, logTail } = preview
  const order = useMutation({ mutationFn: (verb: 'start' | 'restart') => orderPreview(projectId, branch, verb) })
  const button = (verb: 'start' | 'restart', label: string) =>
    canWork && (
      <Button look="primary" busy={order.isPending} onClick={() => order.mutate(verb)}>
        {label}
      </Button>
    )
  const fault = order.isError ? (
    <p role="alert" className="mt-2 text-bad">
      {messageOf(order.error)}
    </p>
  ) : null
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
          {canWork
            ? 'Nothing ran for a while. It is back within a second or two.'
            : 'Its sandbox rests. Whoever works here can wake it.'}
          {fault}
        </Notice>
      )
    default:
      return (
        <Notice icon={MonitorPlay} title="The preview is not running" action={button('start', 'Start the preview')}>
          {error ??
            (isMain
              ? 'It shows main, live, each time something is merged.'
              : `It shows ${shortBranch(branch)} as it stands, before anything of it is merged.`)}
          {fault}
        </Notice>
      )
  }
}
