import { GitBranch } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { quietRuns, activeRuns, readCrew } from '../../features/agents/api.ts'
import { ChatComposer } from '../../features/conversations/components/chat-composer.tsx'
import { ChatPane } from '../../features/conversations/components/chat-pane.tsx'
import { useProjectLog } from '../../features/realtime/api.ts'
import { branchList } from '../../features/repository/api.ts'
import { FileList } from '../../features/repository/components/file-list.tsx'
import { RefusalLine } from '../../features/sandbox/components/refusal-line.tsx'
import { readWork } from '../../features/tasks/api.ts'
import { PlanCard } from '../../features/tasks/components/plan-card.tsx'
import { TaskList } from '../../features/tasks/components/task-list.tsx'
import { ReferencesProvider } from '../../components/references.tsx'
import { Select } from '../../components/ui/select.tsx'
import { plural, shortBranch } from '../../lib/format.ts'
import type { Bench } from './bench.ts'
import { useProjectReferences } from './references.ts'

const SideFrame = ({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) => (
  <section aria-label={title} className="flex h-full min-h-0 flex-col">
    <header className="hairline-b flex h-11 shrink-0 items-center gap-2 px-4">
      <h2 className="font-semibold">{title}</h2>
      <div className="ml-auto min-w-0 text-xs text-fg-2">{aside}</div>
    </header>
    <div className="min-h-0 flex-1">{children}</div>
  </section>
)

export function ChatSide({ bench }: { bench: Bench }) {
  const { projectId, detail, userId, canWork, onOpenTask, onEvidence } = bench
  const work = useProjectLog(projectId, readWork)
  const crew = useProjectLog(projectId, readCrew)
  const running = crew ? activeRuns(crew).length : 0
  const references = useProjectReferences(bench)
  return (
    <SideFrame title="Crew" aside={running > 0 && <span className="tabular">{plural(running, 'run')} under way</span>}>
      <ReferencesProvider value={references}>
        <ChatPane
          projectId={projectId}
          onOpenTask={onOpenTask}
          onEvidence={onEvidence}
          atWork={quietRuns(crew, (taskId) => work?.tasks[taskId]?.key ?? null)}
          taskName={(taskId) => work?.tasks[taskId]?.key ?? null}
          plan={(planId) =>
            work?.plans[planId] && (
              <PlanCard
                plan={work.plans[planId]}
                work={work}
                userId={userId}
                canApprove={canWork}
                onOpenTask={onOpenTask}
              />
            )
          }
          refusal={(refusal) => (
            <RefusalLine
              projectId={projectId}
              refusal={refusal}
              canManage={detail.role === 'owner'}
              onHosts={bench.onHosts}
            />
          )}
          composer={
            <ChatComposer
              projectId={projectId}
              wantedModel={detail.project.config.model}
              isWorking={running > 0}
              blocked={bench.readOnly}
            />
          }
        />
      </ReferencesProvider>
    </SideFrame>
  )
}

export function FilesSide({ bench }: { bench: Bench }) {
  const { projectId, detail, views } = bench
  const branches = useQuery(branchList(projectId))
  const [gitRef, setGitRef] = useState(detail.project.defaultBranch)
  const open = views.view?.kind === 'file' && views.view.gitRef === gitRef ? views.view.path : null
  return (
    <SideFrame
      title="Files"
      aside={
        <span className="flex items-center gap-1.5">
          <GitBranch aria-hidden className="size-3.5 shrink-0 text-fg-3" />
          <Select
            label="Branch"
            value={gitRef}
            onChange={setGitRef}
            options={[...new Set([detail.project.defaultBranch, ...(branches.data ?? []).map(({ name }) => name)])].map(
              (name) => ({ value: name, label: shortBranch(name) }),
            )}
          />
        </span>
      }
    >
      <FileList
        projectId={projectId}
        gitRef={gitRef}
        openPath={open}
        onOpenFile={(path) => views.open({ kind: 'file', gitRef, path })}
      />
    </SideFrame>
  )
}

export function TasksSide({ bench }: { bench: Bench }) {
  const work = useProjectLog(bench.projectId, readWork)
  const { view } = bench.views
  return (
    <SideFrame title="Tasks">
      {work && (
        <TaskList work={work} openTaskId={view?.kind === 'task' ? view.taskId : null} onOpenTask={bench.onOpenTask} />
      )}
    </SideFrame>
  )
}
