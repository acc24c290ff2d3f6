import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Globe, Play, RotateCw, Square } from 'lucide-react'
import { Output } from '../../../components/code.tsx'
import { FormFault } from '../../../components/form-fault.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { useNow } from '../../../lib/clock.ts'
import { ago, groupedNumber, shareOf } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { allowedHosts, containerLogs, isolationNote, orderSandbox, sandboxWord } from '../api.ts'

interface SandboxDialogProps {
  sandbox: Sandbox
  canWork: boolean
  open: boolean
  onOpenChange(open: boolean): void
  onHosts(): void
}

/** What the project runs in: how it is fenced, what it may use, its switches and its own words. */
export function SandboxDialog({ sandbox, canWork, open, onOpenChange, onHosts }: SandboxDialogProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Sandbox"
      description={<span className="inline-block first-letter:uppercase">{sandboxWord[sandbox.state]}</span>}
      className="w-[min(640px,calc(100vw-24px))]"
    >
      <Body sandbox={sandbox} canWork={canWork} onHosts={onHosts} />
    </Dialog>
  )
}

function Body({ sandbox, canWork, onHosts }: Pick<SandboxDialogProps, 'sandbox' | 'canWork' | 'onHosts'>) {
  const { projectId, state, limits, image, startedAt, error, disk } = sandbox
  const now = useNow()
  const hosts = useQuery({ ...allowedHosts(projectId), select: ({ length }) => length }).data ?? 0
  const logs = useQuery(containerLogs(projectId))
  const order = useMutation({
    mutationFn: (verb: 'start' | 'stop' | 'restart') => orderSandbox(projectId, verb),
    onSettled: () => logs.refetch(),
  })
  const isUp = state === 'running' || state === 'unhealthy'
  const facts: [string, string | null][] = [
    ['Walls', isolationNote(sandbox, hosts)],
    [
      'May use',
      `${limits.cpus} CPU · ${groupedNumber(limits.memoryMiB)} MiB · ${groupedNumber(limits.pids)} processes`,
    ],
    ['Disk', disk && shareOf(disk.usedBytes, disk.limitBytes)],
    ['Image', image],
    ['Started', startedAt && ago(startedAt, now)],
  ]
  const button = (verb: 'start' | 'stop' | 'restart', label: string, icon: typeof Play) => {
    const Icon = icon
    return (
      <Button
        look={verb === 'start' ? 'primary' : 'outline'}
        disabled={order.isPending}
        busy={order.isPending && order.variables === verb}
        onClick={() => order.mutate(verb)}
      >
        <Icon className="size-3.5" /> {label}
      </Button>
    )
  }
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <FormFault text={order.error ? messageOf(order.error) : error} />
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-5 gap-y-1.5 text-sm">
        {facts.map(
          ([name, fact]) =>
            fact && (
              <div key={name} className="contents">
                <dt className="text-fg-2">{name}</dt>
                <dd className="wrap-anywhere tabular">{fact}</dd>
              </div>
            ),
        )}
      </dl>
      <div className="flex flex-wrap gap-2">
        {canWork && (isUp ? button('restart', 'Restart', RotateCw) : button('start', 'Start', Play))}
        {canWork && isUp && button('stop', 'Stop', Square)}
        <Button onClick={onHosts}>
          <Globe className="size-3.5" /> Allowed hosts
        </Button>
      </div>
      {canWork && isUp && (
        <p className="-mt-2 text-xs text-fg-3">
          Stopping ends terminals, previews and what agents run at this moment; files stay.
        </p>
      )}
      <section aria-label="What the container wrote" className="grid grid-cols-[minmax(0,1fr)] gap-2">
        <h3 className="section-label">What the container wrote</h3>
        {logs.isPending ? (
          <Skeleton className="h-16" />
        ) : (
          <Output
            text={logs.isError ? messageOf(logs.error) : logs.data.lines.join('\n') || 'Nothing.'}
            className="max-h-56"
          />
        )}
      </section>
    </div>
  )
}
