import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { LogOut, TriangleAlert } from 'lucide-react'
import { FormFault } from '../../../components/form-fault.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Chip } from '../../../components/ui/chip.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { useNow } from '../../../lib/clock.ts'
import { ago } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { revokeSession, sessionKeys, sessionList, signOutEverywhere } from '../api.ts'

/** Where this account is signed in, and the way to end it. */
export function Devices() {
  const client = useQueryClient()
  const now = useNow()
  const sessions = useQuery(sessionList())
  const revoke = useMutation({
    mutationFn: revokeSession,
    onSettled: () => client.invalidateQueries({ queryKey: sessionKeys }),
  })
  const everywhere = useMutation({ mutationFn: signOutEverywhere })
  if (sessions.isPending) return <Skeleton className="h-32" />
  if (sessions.isError) {
    return (
      <Notice
        icon={TriangleAlert}
        tone="bad"
        title="Your devices could not be read"
        action={<Button onClick={() => void sessions.refetch()}>Try again</Button>}
      >
        {messageOf(sessions.error)}
      </Notice>
    )
  }
  const error = revoke.error ?? everywhere.error
  return (
    <div className="grid gap-4">
      <FormFault text={error && messageOf(error)} />
      <ul aria-label="Devices" className="divide-y divide-line border-y border-line">
        {sessions.data.map(({ id, device, current, createdAt, lastSeenAt }) => (
          <li key={id} className="flex min-h-13 items-center gap-3 py-2">
            <span className="min-w-0 flex-1">
              <span className="flex items-center gap-2 text-sm font-medium">
                <span className="truncate">{device}</span>
                {current && <Chip tone="ok">this one</Chip>}
              </span>
              <span className="block text-xs text-fg-3 tabular">
                signed in {ago(createdAt, now)} · last seen {ago(lastSeenAt, now)}
              </span>
            </span>
            {!current && (
              <Button
                size="s"
                look="danger"
                aria-label={`Sign out ${device}, signed in ${ago(createdAt, now)}`}
                busy={revoke.isPending && revoke.variables === id}
                onClick={() => revoke.mutate(id)}
              >
                Sign out
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Button
        look="danger"
        className="justify-self-start"
        busy={everywhere.isPending}
        onClick={() => everywhere.mutate()}
      >
        <LogOut className="size-4" /> Sign out everywhere, here too
      </Button>
    </div>
  )
}
