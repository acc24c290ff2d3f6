import { useMutation } from '@tanstack/react-query'
import { Globe, ShieldCheck } from 'lucide-react'
import { Button } from '../../../components/ui/button.tsx'
import { clockTime } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { allowHost } from '../api.ts'

export interface Refusal {
  at: string
  /** As the code in the sandbox wrote it. */
  target: string
  reason: string
  /** What an owner could allow; null where that would not help. */
  allow: string | null
  isAllowed: boolean
}

interface RefusalLineProps {
  projectId: string
  refusal: Refusal
  canManage: boolean
  onHosts(): void
}

/** Code asked for something outside. Quiet: most such attempts are somebody's telemetry; one click for the rest. */
export function RefusalLine({ projectId, refusal, canManage, onHosts }: RefusalLineProps) {
  const { at, target, reason, allow, isAllowed } = refusal
  const order = useMutation({ mutationFn: (host: string) => allowHost(projectId, host) })
  const Icon = isAllowed ? ShieldCheck : Globe
  return (
    <div className="flex items-start gap-2 text-sm text-fg-2">
      <span className="grid h-5 w-7 shrink-0 place-items-center">
        <Icon aria-hidden className={isAllowed ? 'size-4 text-ok' : 'size-4 text-fg-3'} />
      </span>
      <div className="grid min-w-0 flex-1 justify-items-start gap-1.5">
        <p className="max-w-full break-words">
          {allow ? 'Code in the sandbox wanted to reach ' : 'Code in the sandbox was refused '}
          <span className="font-mono text-[0.92em] wrap-anywhere text-fg">{allow ?? target}</span>
          {!allow && `: ${reason}`}
          {allow &&
            (isAllowed ? ', which is allowed now.' : canManage ? '.' : '. An owner of this project can allow it.')}
        </p>
        {allow && !isAllowed && canManage && (
          <Button size="s" busy={order.isPending} onClick={() => order.mutate(allow)} className="max-w-full">
            <span className="truncate">Allow {allow}</span>
          </Button>
        )}
        {isAllowed && (
          <Button look="ghost" size="s" onClick={onHosts} className="-ml-2.5">
            Allowed hosts
          </Button>
        )}
        {order.isError && (
          <p role="alert" className="text-xs text-bad">
            {messageOf(order.error)}
          </p>
        )}
      </div>
      <time dateTime={at} className="text-2xs leading-5 text-fg-3 tabular">
        {clockTime(at)}
      </time>
    </div>
  )
}
