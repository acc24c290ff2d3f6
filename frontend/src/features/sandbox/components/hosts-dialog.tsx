import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { Field } from '../../../components/ui/field.tsx'
import { IconButton } from '../../../components/ui/icon-button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { useNow } from '../../../lib/clock.ts'
import { ago, bytes } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { allowedHosts, allowHost, sandboxKeys, withdrawHost } from '../api.ts'

interface HostsDialogProps {
  projectId: string
  canManage: boolean
  open: boolean
  onOpenChange(open: boolean): void
}

export function HostsDialog({ projectId, canManage, open, onOpenChange }: HostsDialogProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Allowed hosts"
      description={`Sandboxes have no network. Packages come through the platform's mirrors; code can reach these hosts besides, each on one port. Whatever it reads here it can send there.${canManage ? '' : ' Owners of the project can change the list.'}`}
    >
      {canManage && <AddHost projectId={projectId} />}
      <HostList projectId={projectId} canManage={canManage} />
    </Dialog>
  )
}

function HostList({ projectId, canManage }: { projectId: string; canManage: boolean }) {
  const client = useQueryClient()
  const now = useNow()
  const hosts = useQuery({ ...allowedHosts(projectId), staleTime: 0 })
  const withdraw = useMutation({
    mutationFn: (target: string) => withdrawHost(projectId, target),
    onSuccess: () => client.invalidateQueries({ queryKey: sandboxKeys.hosts(projectId) }),
  })
  if (hosts.isPending) return <Skeleton className="h-16 w-full" />
  const fault = hosts.error ?? withdraw.error
  return (
    <div className="grid gap-2">
      {fault && (
        <p role="alert" className="text-sm text-bad">
          {messageOf(fault)}
        </p>
      )}
      {hosts.data?.length === 0 && <p className="text-sm text-fg-2">None yet: nothing outside can be reached.</p>}
      <ul className="grid">
        {hosts.data?.map(({ target, sentBytes, receivedBytes, lastUsedAt }) => (
          <li key={target} className="flex min-h-11 items-center gap-3 border-b border-line py-1.5 last:border-0">
            <div className="min-w-0 flex-1">
              <p className="font-mono text-sm wrap-anywhere">{target}</p>
              <p className="text-xs text-fg-3 tabular">
                {lastUsedAt
                  ? `${bytes(sentBytes)} out, ${bytes(receivedBytes)} in, last ${ago(lastUsedAt, now)}`
                  : 'not used yet'}
              </p>
            </div>
            {canManage && (
              <IconButton
                label={`Allow ${target} no longer`}
                disabled={withdraw.isPending}
                onClick={() => withdraw.mutate(target)}
              >
                <Trash2 />
              </IconButton>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** Most things speak https; who means another port writes it. */
const withPort = (typed: string) => (/:\d+$/.test(typed) ? typed : `${typed}:443`)

function AddHost({ projectId }: { projectId: string }) {
  const client = useQueryClient()
  const [typed, setTyped] = useState('')
  const allow = useMutation({
    mutationFn: (target: string) => allowHost(projectId, target),
    onSuccess: () => {
      setTyped('')
      return client.invalidateQueries({ queryKey: sandboxKeys.hosts(projectId) })
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const target = typed.trim()
    if (target) allow.mutate(withPort(target))
  }
  return (
    <form onSubmit={submit} className="mb-4 grid gap-3">
      <Field
        label="Host to allow"
        placeholder="api.example.com:443"
        hint="An exact name; without a port 443 is meant. Names that lead into private networks stay refused."
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        {...(allow.isError && { error: messageOf(allow.error) })}
      />
      <Button type="submit" look="primary" busy={allow.isPending} disabled={typed.trim() === ''}>
        Allow
      </Button>
    </form>
  )
}
