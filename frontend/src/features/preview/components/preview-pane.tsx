import type { PreviewPageAt } from '@guildhall/protocol/preview.ts'
import type { Branch } from '@guildhall/protocol/repository.ts'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ArrowLeft, ArrowRight, ExternalLink, GitMerge, Power, RotateCw, TriangleAlert } from 'lucide-react'
import { useRef, useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { IconButton } from '../../../components/ui/icon-button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { shortBranch } from '../../../lib/format.ts'
import { isProblem, messageOf } from '../../../lib/request.ts'
import { useReturns } from '../../realtime/api.ts'
import { branchList } from '../../repository/api.ts'
import { orderPreview, previewOf, previewTicket } from '../api.ts'
import { changePlace, usePlace } from '../place.ts'
import { AddressBar } from './address-bar.tsx'
import { type FrameHandle, PreviewFrame } from './preview-frame.tsx'
import { PreviewState } from './preview-state.tsx'
import { ViewMenu } from './view-menu.tsx'

interface PreviewPaneProps {
  projectId: string
  mainBranch: string
  canWork: boolean
}

const still = { canGoBack: false, canGoForward: false }

/** The running result of a branch, in a frame on another host; what it is doing while it is not there yet. */
export function PreviewPane({ projectId, mainBranch, canWork }: PreviewPaneProps) {
  const client = useQueryClient()
  const place = usePlace(projectId)
  const branch = place.branch ?? mainBranch
  const query = useQuery(previewOf(projectId, branch))
  const branches = useQuery(branchList(projectId)).data
  const returns = useReturns()
  const frame = useRef<FrameHandle>(null)
  const [history, setHistory] = useState<Pick<PreviewPageAt, 'canGoBack' | 'canGoForward'>>(still)
  const preview = query.data
  const origin = preview?.state === 'ready' ? preview.origin : null
  const path = place.paths[branch] ?? '/'
  const isAt = (where: string) => changePlace(projectId, ({ paths }) => ({ paths: { ...paths, [branch]: where } }))

  const order = useMutation({ mutationFn: (verb: 'restart' | 'stop') => orderPreview(projectId, branch, verb) })
  /** Whoever asks for a branch wants to see it: its server is started when it never ran. */
  const choose = useMutation({
    mutationFn: async (wanted: string) => {
      order.reset()
      setHistory(still)
      changePlace(projectId, () => ({ branch: wanted === mainBranch ? null : wanted }))
      const now = await client.fetchQuery(previewOf(projectId, wanted))
      if (canWork && now.state === 'stopped') await orderPreview(projectId, wanted, 'start')
    },
  })
  const elsewhere = useMutation({
    mutationFn: async () => {
      // Opened at once, while the click still counts as one; the address follows with its ticket.
      const tab = window.open('about:blank', '_blank')
      try {
        const { url } = await previewTicket(projectId, branch, path)
        if (tab) {
          tab.opener = null
          tab.location.href = url
        }
      } catch (error) {
        tab?.close()
        throw error
      }
    },
  })
  const error = elsewhere.error ?? order.error ?? choose.error
  const isMerged = branch !== mainBranch && branches?.find(({ name }) => name === branch)?.status === 'merged'

  return (
    <section aria-label="Live preview" className="flex h-full min-h-0 flex-col bg-surface-1">
      <header className="hairline-b flex min-h-11 shrink-0 items-center gap-0.5 px-2 max-md:flex-wrap max-md:pb-2">
        <IconButton label="Back" disabled={!origin || !history.canGoBack} onClick={() => frame.current?.back()}>
          <ArrowLeft />
        </IconButton>
        <IconButton
          label="Forward"
          disabled={!origin || !history.canGoForward}
          onClick={() => frame.current?.forward()}
        >
          <ArrowRight />
        </IconButton>
        <IconButton label="Reload the preview" disabled={!origin} onClick={() => frame.current?.reload()}>
          <RotateCw />
        </IconButton>
        <span aria-hidden className="w-1 max-md:flex-1" />
        <AddressBar
          key={branch}
          branches={shown(branches, mainBranch, branch)}
          branch={branch}
          onBranch={(wanted) => choose.mutate(wanted)}
          origin={origin}
          path={path}
          onGo={(to) => {
            isAt(to)
            frame.current?.go(to)
          }}
        />
        <span aria-hidden className="w-1 max-md:hidden" />
        <ViewMenu
          width={place.width}
          onWidth={(width) => changePlace(projectId, () => ({ width }))}
          onOrder={origin && canWork ? (verb) => order.mutate(verb) : undefined}
        />
        <IconButton label="Open in a new tab" disabled={!origin} onClick={() => elsewhere.mutate()}>
          <ExternalLink />
        </IconButton>
      </header>
      {error && (
        <p role="alert" className="hairline-b px-4 py-2 text-sm text-bad">
          {messageOf(error)}
        </p>
      )}
      {isMerged && (
        <p role="status" className="hairline-b flex items-center gap-2 px-3 py-1.5 text-sm text-fg-2">
          <GitMerge aria-hidden className="size-4 shrink-0 text-ok" />
          <span className="min-w-0 flex-1">
            {shortBranch(branch)} is merged; {mainBranch} shows it now.
          </span>
          <Button size="s" onClick={() => choose.mutate(mainBranch)}>
            Show {mainBranch}
          </Button>
        </p>
      )}
      <div className="grid min-h-0 flex-1 grid-cols-[minmax(0,1fr)]">
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
        ) : origin ? (
          <PreviewFrame
            key={`${origin}.${returns}`}
            projectId={projectId}
            branch={branch}
            origin={origin}
            path={path}
            width={place.width}
            handle={frame}
            onPage={(at) => {
              setHistory(at ?? still)
              if (at) isAt(at.path)
            }}
          />
        ) : (
          <PreviewState preview={query.data} isMain={branch === mainBranch} canWork={canWork} />
        )}
      </div>
    </section>
  )
}

/** Main, then what is not merged; a merged branch only while it is the one on show. */
function shown(branches: readonly Branch[] | undefined, mainBranch: string, branch: string) {
  const others = (branches ?? []).filter(
    ({ name, status }) => name !== mainBranch && (status !== 'merged' || name === branch),
  )
  const isKnown = branch === mainBranch || others.some(({ name }) => name === branch)
  return [
    { name: mainBranch, status: 'active' as const },
    ...others,
    ...(isKnown ? [] : [{ name: branch, status: 'active' as const }]),
  ]
}
