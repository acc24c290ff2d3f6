import { useQuery } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { previewTicket } from '../api.ts'

interface PreviewFrameProps {
  projectId: string
  branch: string
  /** In pixels; null fills the pane. */
  width: number | null
}

/**
 * The frame. Its isolation is the other host; without `allow-same-origin` module scripts would not run there. A ticket
 * works once, so each frame that is mounted asks for its own and it is never kept.
 */
export function PreviewFrame({ projectId, branch, width }: PreviewFrameProps) {
  const mounted = useId()
  const [isLoaded, setLoaded] = useState(false)
  const ticket = useQuery({
    queryKey: ['preview', 'ticket', projectId, branch, mounted],
    queryFn: () => previewTicket(projectId, branch),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  if (ticket.isPending) {
    return (
      <div className="p-4">
        <Skeleton className="h-full min-h-48" />
      </div>
    )
  }
  if (ticket.isError) {
    return (
      <Notice
        tone="bad"
        title="The preview could not be opened"
        action={<Button onClick={() => void ticket.refetch()}>Try again</Button>}
      >
        {messageOf(ticket.error)}
      </Notice>
    )
  }
  return (
    <div className="grid min-h-0 justify-items-center overflow-auto bg-surface-3">
      <iframe
        title="Preview"
        src={ticket.data.url}
        sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-downloads allow-modals"
        referrerPolicy="no-referrer"
        onLoad={() => setLoaded(true)}
        className={cn('h-full border-0 bg-white transition-opacity duration-[240ms]', !isLoaded && 'opacity-0')}
        style={{ width: width ?? '100%' }}
      />
    </div>
  )
}
