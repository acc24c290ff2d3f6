import type { CheckResult } from '@guildhall/protocol/tasks.ts'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Compass, TriangleAlert } from 'lucide-react'
import { useCallback, useEffect, useState } from 'react'
import { Link, useParams } from 'react-router'
import { Logo } from '../../components/logo.tsx'
import { Notice } from '../../components/notice.tsx'
import { Button } from '../../components/ui/button.tsx'
import { useSession } from '../../features/identity/api.ts'
import { PasswordBanner } from '../../features/identity/components/password-banner.tsx'
import { projectDetail } from '../../features/projects/api.ts'
import { projectLog, socket } from '../../features/realtime/api.ts'
import { HostsDialog } from '../../features/sandbox/components/hosts-dialog.tsx'
import { SandboxDialog } from '../../features/sandbox/components/sandbox-dialog.tsx'
import { useIsNarrow } from '../../lib/media.ts'
import { isProblem, messageOf } from '../../lib/request.ts'
import { followProject } from '../events.ts'
import { HouseBanner } from '../house-banner.tsx'
import { ArchivedBanner } from './archived-banner.tsx'
import { isHalfMade } from './bench.ts'
import { DesktopLayout } from './desktop-layout.tsx'
import { type Evidence, EvidenceDialog } from './evidence-dialog.tsx'
import { HalfMadeBanner } from './half-made-banner.tsx'
import { NarrowLayout } from './narrow-layout.tsx'
import { StatusBar } from './status-bar.tsx'
import { TopBar } from './top-bar.tsx'
import { useViews } from './view.ts'

export function Workbench() {
  const { projectId = '' } = useParams()
  // A new project is a new workbench: nothing typed or opened in one shows up in the other.
  return <ProjectWorkbench key={projectId} projectId={projectId} />
}

function ProjectWorkbench({ projectId }: { projectId: string }) {
  const client = useQueryClient()
  const detail = useQuery(projectDetail(projectId))
  const hasLog = useQuery({ ...projectLog(projectId), select: () => true }).data === true
  const userId = useSession((session) => session.user?.id ?? '')
  const isNarrow = useIsNarrow()
  const views = useViews(projectId)
  const [evidence, setEvidence] = useState<Evidence | null>(null)
  const onEvidence = useCallback((seq: number) => setEvidence({ seq, result: null }), [])
  const [areHostsOpen, setHostsOpen] = useState(false)
  const [isSandboxOpen, setSandboxOpen] = useState(false)
  const name = detail.data?.project.name

  useEffect(() => (hasLog ? followProject(client, socket, projectId) : undefined), [client, hasLog, projectId])
  useEffect(() => {
    if (!name) return
    document.title = `${name} · Guildhall`
    return () => {
      document.title = 'Guildhall'
    }
  }, [name])

  if (detail.isPending) {
    return (
      <div role="status" aria-label="Loading the project" className="grid h-dvh place-items-center">
        <Logo className="size-9 animate-breathe" />
      </div>
    )
  }
  if (detail.isError) {
    const isMissing = isProblem(detail.error, 'not_found', 'forbidden', 'invalid', 'bad_request')
    return (
      <main id="main">
        <Notice
          icon={isMissing ? Compass : TriangleAlert}
          tone={isMissing ? 'plain' : 'bad'}
          title={isMissing ? 'There is no such project' : 'The project could not be read'}
          className="min-h-dvh"
          action={
            isMissing ? (
              <Button asChild>
                <Link to="/">To your projects</Link>
              </Button>
            ) : (
              <Button onClick={() => void detail.refetch()}>Try again</Button>
            )
          }
        >
          {isMissing ? 'It was deleted, or you are not a member of it.' : messageOf(detail.error)}
        </Notice>
      </main>
    )
  }
  const readOnly =
    detail.data.project.status === 'archived'
      ? 'This project is archived'
      : detail.data.role === 'viewer'
        ? 'You may look here, not work'
        : null
  const bench = {
    detail: detail.data,
    projectId,
    userId,
    canWork: readOnly === null,
    readOnly,
    views,
    onOpenTask: (taskId: string) => views.open({ kind: 'task', taskId }),
    onEvidence,
    onHosts: () => setHostsOpen(true),
    onSandbox: () => setSandboxOpen(true),
    onResult: (result: CheckResult, seq: number) => setEvidence({ seq, result }),
  }
  return (
    <div className="flex h-dvh flex-col overflow-hidden">
      <TopBar bench={bench} />
      <PasswordBanner />
      {/* The composer speaks of models, and a half-made project of its engine. */}
      <HouseBanner without={isHalfMade(bench) ? ['models', 'container engine'] : ['models']} />
      <ArchivedBanner bench={bench} />
      <HalfMadeBanner bench={bench} />
      {isNarrow ? <NarrowLayout bench={bench} /> : <DesktopLayout bench={bench} />}
      {!isNarrow && <StatusBar bench={bench} />}
      <SandboxDialog
        sandbox={detail.data.container}
        canWork={bench.canWork}
        open={isSandboxOpen}
        onOpenChange={setSandboxOpen}
        onHosts={() => {
          setSandboxOpen(false)
          setHostsOpen(true)
        }}
      />
      <HostsDialog
        projectId={projectId}
        canManage={detail.data.role === 'owner'}
        open={areHostsOpen}
        onOpenChange={setHostsOpen}
      />
      <EvidenceDialog projectId={projectId} evidence={evidence} onClose={() => setEvidence(null)} />
    </div>
  )
}
