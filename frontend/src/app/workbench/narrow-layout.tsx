import { ArrowLeft, AppWindow, GitFork, ListChecks, MessagesSquare, SquareTerminal } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../../components/ui/button.tsx'
import { TabList, TabPanel, Tabs } from '../../components/ui/tabs.tsx'
import { Tabs as Radix } from 'radix-ui'
import { PreviewPane } from '../../features/preview/components/preview-pane.tsx'
import { ProvisioningView } from '../../features/projects/components/provisioning.tsx'
import { useProjectLog } from '../../features/realtime/api.ts'
import { LanesView } from '../../features/repository/components/lanes-view.tsx'
import { readWork } from '../../features/tasks/api.ts'
import { type Bench, isBeingMade } from './bench.ts'
import { TerminalPane } from './bottom-panel.tsx'
import { Document } from './middle.tsx'
import { ChatSide, FilesSide, TasksSide } from './sides.tsx'
import type { Pane } from './view.ts'

const panes = [
  { pane: 'chat', label: 'Chat', icon: MessagesSquare },
  { pane: 'work', label: 'Work', icon: ListChecks },
  { pane: 'preview', label: 'Preview', icon: AppWindow },
  { pane: 'lanes', label: 'Lanes', icon: GitFork },
  { pane: 'terminal', label: 'Terminal', icon: SquareTerminal },
] as const

/** One pane at a time, chosen at the thumb's end of the screen. */
export function NarrowLayout({ bench }: { bench: Bench }) {
  const { pane, showPane } = bench.views
  const isMade = !isBeingMade(bench)
  const making = <ProvisioningView project={bench.detail.project} />
  return (
    <Tabs value={pane} onValueChange={(next) => showPane(next as Pane)} className="flex min-h-0 flex-1 flex-col">
      <main id="main" className="flex min-h-0 flex-1 flex-col">
        <TabPanel value="chat">
          <ChatSide bench={bench} />
        </TabPanel>
        <TabPanel value="work">{isMade ? <WorkPane bench={bench} /> : making}</TabPanel>
        <TabPanel value="preview">
          {isMade ? (
            <PreviewPane
              projectId={bench.projectId}
              mainBranch={bench.detail.project.defaultBranch}
              canWork={bench.canWork}
            />
          ) : (
            making
          )}
        </TabPanel>
        <TabPanel value="lanes" className="bg-surface-1">
          <LanesView projectId={bench.projectId} onOpenTask={bench.onOpenTask} />
        </TabPanel>
        <TabPanel value="terminal">{isMade ? <TerminalPane bench={bench} /> : making}</TabPanel>
      </main>
      <TabList
        aria-label="Panes"
        className="grid h-14 shrink-0 grid-cols-5 border-t border-line bg-surface-1 pb-[env(safe-area-inset-bottom)]"
      >
        {panes.map(({ pane: wanted, label, icon: Icon }) => (
          <Radix.Trigger
            key={wanted}
            value={wanted}
            className="focus-inset grid content-center justify-items-center gap-0.5 text-2xs text-fg-2 data-[state=active]:font-semibold data-[state=active]:text-accent"
          >
            <Icon aria-hidden className="size-5" strokeWidth={1.75} />
            {label}
          </Radix.Trigger>
        ))}
      </TabList>
    </Tabs>
  )
}

function WorkPane({ bench }: { bench: Bench }) {
  const work = useProjectLog(bench.projectId, readWork)
  const { view, show } = bench.views
  const [list, setList] = useState<'tasks' | 'files'>('tasks')
  if (view) {
    return (
      <div className="flex h-full min-h-0 flex-col">
        <div className="hairline-b flex h-12 shrink-0 items-center px-2">
          <Button look="ghost" size="s" onClick={() => show(null)}>
            <ArrowLeft className="size-4" /> {view.kind === 'task' ? 'Tasks' : 'Files'}
          </Button>
        </div>
        <div className="min-h-0 flex-1">
          <Document bench={bench} view={view} work={work} />
        </div>
      </div>
    )
  }
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div role="group" aria-label="Show" className="hairline-b grid shrink-0 grid-cols-2 gap-2 p-2">
        {(['tasks', 'files'] as const).map((wanted) => (
          <Button
            key={wanted}
            size="s"
            look={list === wanted ? 'outline' : 'ghost'}
            aria-pressed={list === wanted}
            className="capitalize"
            onClick={() => setList(wanted)}
          >
            {wanted}
          </Button>
        ))}
      </div>
      <div className="min-h-0 flex-1">
        {list === 'tasks' ? <TasksSide bench={bench} /> : <FilesSide bench={bench} />}
      </div>
    </div>
  )
}
