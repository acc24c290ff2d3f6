import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Archive } from 'lucide-react'
import { Button } from '../../components/ui/button.tsx'
import { projectKeys, unarchiveProject } from '../../features/projects/api.ts'
import { messageOf } from '../../lib/request.ts'
import type { Bench } from './bench.ts'

/** Stands on an archived project: what can still be done, and for owners the way back. */
export function ArchivedBanner({ bench: { detail, projectId } }: { bench: Bench }) {
  const client = useQueryClient()
  const restore = useMutation({
    mutationFn: () => unarchiveProject(projectId),
    onSuccess: () => client.invalidateQueries({ queryKey: projectKeys.detail(projectId) }),
  })
  if (detail.project.status !== 'archived') return null
  return (
    <aside
      aria-label="Archived"
      className="hairline-b flex flex-wrap items-center justify-center gap-x-3 gap-y-1 bg-surface-2 px-4 py-1.5 text-sm"
    >
      <Archive aria-hidden className="size-4 text-fg-2" />
      <span>This project is archived: it can be read, and nothing in it changes.</span>
      {detail.role === 'owner' && (
        <Button size="s" busy={restore.isPending} onClick={() => restore.mutate()}>
          Restore it
        </Button>
      )}
      {restore.isError && (
        <span role="alert" className="text-bad">
          {messageOf(restore.error)}
        </span>
      )}
    </aside>
  )
}
