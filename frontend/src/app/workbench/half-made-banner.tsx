import { useMutation } from '@tanstack/react-query'
import { TriangleAlert } from 'lucide-react'
import { Button } from '../../components/ui/button.tsx'
import { retryProject } from '../../features/projects/api.ts'
import { messageOf } from '../../lib/request.ts'
import { type Bench, isHalfMade } from './bench.ts'

/** Stands on a project whose creation stopped after its repository was made: why, and the way on. */
export function HalfMadeBanner({ bench }: { bench: Bench }) {
  const retry = useMutation({ mutationFn: () => retryProject(bench.projectId) })
  if (!isHalfMade(bench)) return null
  const { provisioning } = bench.detail.project
  return (
    <aside
      role="alert"
      className="hairline-b flex flex-wrap items-center justify-center gap-x-3 gap-y-1 bg-bad/10 px-4 py-1.5 text-sm"
    >
      <TriangleAlert aria-hidden className="size-4 shrink-0 text-bad" />
      <span className="min-w-0 wrap-anywhere">
        Setting this project up stopped at “{provisioning?.step}”:{' '}
        {retry.isError ? messageOf(retry.error) : (provisioning?.error ?? 'no reason was given')}
      </span>
      {bench.detail.role === 'owner' && (
        <Button size="s" busy={retry.isPending} onClick={() => retry.mutate()}>
          Go on with it
        </Button>
      )}
    </aside>
  )
}
