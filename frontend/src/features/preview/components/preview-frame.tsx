import type { PreviewPageAt } from '@guildhall/protocol/preview.ts'
import { useQuery } from '@tanstack/react-query'
import { type Ref, useEffect, useEffectEvent, useId, useImperativeHandle, useRef, useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { previewTicket } from '../api.ts'
import { createPageTalk, type PageTalk } from '../page-talk.ts'
import type { Width } from '../place.ts'

export interface FrameHandle {
  go(path: string): void
  back(): void
  forward(): void
  reload(): void
}

interface PreviewFrameProps {
  projectId: string
  branch: string
  origin: string
  /** Where it begins; later places go through the handle. */
  path: string
  width: Width
  handle: Ref<FrameHandle>
  /** Null: the page does not say where it is. */
  onPage(at: PreviewPageAt | null): void
}

/**
 * The frame. Its isolation is the other host; without `allow-same-origin` module scripts would not run there. A ticket
 * works once, so each frame that is mounted asks for its own and it is never kept.
 */
export function PreviewFrame(props: PreviewFrameProps) {
  const { projectId, branch } = props
  const mounted = useId()
  const [path] = useState(props.path)
  const ticket = useQuery({
    queryKey: ['preview', 'ticket', projectId, branch, mounted],
    queryFn: () => previewTicket(projectId, branch, path),
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
  return <Frame {...props} src={ticket.data.url} />
}

function Frame({ src, origin, path, width, handle, onPage }: PreviewFrameProps & { src: string }) {
  const box = useRef<HTMLDivElement>(null)
  const frame = useRef<HTMLIFrameElement>(null)
  const talk = useRef<PageTalk>(null)
  const speaks = useRef(false)
  const [isLoaded, setLoaded] = useState(false)
  const [isLoading, setLoading] = useState(true)
  const [room, setRoom] = useState({ width: 0, height: 0 })
  const scale = width === null || room.width === 0 ? 1 : Math.min(1, room.width / width)

  const heard = useEffectEvent((at: PreviewPageAt | null) => {
    speaks.current = at !== null
    if (at) setLoading(false)
    onPage(at)
  })
  useEffect(() => {
    const mine = createPageTalk({ frame: frame.current!, origin, onAt: heard, onSilent: () => heard(null) })
    talk.current = mine
    return () => mine.close()
  }, [origin])
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setRoom(entry!.contentRect))
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])

  useImperativeHandle(handle, () => {
    const go = (to: string) => {
      // A change of the fragment alone loads nothing.
      setLoading(to.split('#', 1)[0] !== path.split('#', 1)[0])
      frame.current!.src = origin + to
    }
    return {
      go,
      back: () => talk.current?.ask('page.back'),
      forward: () => talk.current?.ask('page.forward'),
      reload() {
        setLoading(true)
        if (speaks.current) talk.current?.ask('page.reload')
        else frame.current!.src = origin + path
      },
    }
  }, [origin, path])

  return (
    <div ref={box} className="relative min-h-0 overflow-hidden bg-surface-3" aria-busy={isLoading}>
      {isLoading && (
        <div role="progressbar" aria-label="The page is loading" className="absolute inset-x-0 top-0 z-10 h-0.5">
          <div className="h-full animate-breathe bg-accent" />
        </div>
      )}
      <div className="mx-auto h-full" style={{ width: width === null ? '100%' : width * scale }}>
        <iframe
          ref={frame}
          title="Preview"
          src={src}
          sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-downloads allow-modals"
          referrerPolicy="no-referrer"
          onLoad={() => {
            setLoaded(true)
            setLoading(false)
            talk.current?.loaded()
          }}
          className={cn(
            'origin-top-left border-0 bg-white transition-opacity duration-[240ms]',
            !isLoaded && 'opacity-0',
          )}
          style={{
            width: width ?? '100%',
            height: scale === 1 ? '100%' : room.height / scale,
            transform: scale === 1 ? undefined : `scale(${scale})`,
          }}
        />
      </div>
      {width !== null && (
        <p className="pointer-events-none absolute right-2 bottom-2 rounded-full bg-surface-1/90 px-2 py-0.5 text-2xs text-fg-2 tabular">
          {width} px{scale < 1 && ` · ${Math.round(scale * 100)} %`}
        </p>
      )}
    </div>
  )
}
