import { ChevronDown, ChevronUp } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { IconButton } from '../../components/ui/icon-button.tsx'
import { Skeleton } from '../../components/ui/skeleton.tsx'
import { Tab, TabList, TabPanel, Tabs } from '../../components/ui/tabs.tsx'
import { LanesView } from '../../features/repository/components/lanes-view.tsx'
import { TerminalGate } from '../../features/sandbox/components/terminal-gate.tsx'
import type { Bench } from './bench.ts'
import { type BottomTab, useLayout } from './view.ts'

const Terminals = lazy(() => import('../../features/sandbox/components/terminals.tsx'))

/** The terminal is loaded when it is first looked at. */
export const TerminalPane = ({ bench }: { bench: Bench }) => (
  <TerminalGate sandbox={bench.detail.container} readOnly={bench.readOnly}>
    <Suspense fallback={<Skeleton className="m-3 h-8" />}>
      <Terminals projectId={bench.projectId} mainBranch={bench.detail.project.defaultBranch} />
    </Suspense>
  </TerminalGate>
)

export function BottomPanel({ bench }: { bench: Bench }) {
  const tab = useLayout((layout) => layout.bottomTab)
  const { set } = useLayout.getState()
  const [hasTerminal, setHasTerminal] = useState(tab === 'terminal')
  const choose = (next: string) => {
    if (next === 'terminal') setHasTerminal(true)
    set({ bottomTab: next as BottomTab })
  }
  return (
    <Tabs value={tab} onValueChange={choose} className="flex h-full min-h-0 flex-col bg-surface-1">
      <div className="hairline-b flex h-9 shrink-0 items-center gap-2 pr-2 pl-4">
        <TabList aria-label="Panel" className="flex h-full gap-5">
          <Tab value="terminal">Terminal</Tab>
          <Tab value="lanes">Lanes</Tab>
        </TabList>
        <IconButton label="Close the panel" side="top" className="ml-auto" onClick={() => set({ isBottomOpen: false })}>
          <ChevronDown />
        </IconButton>
      </div>
      <TabPanel value="terminal" forceMount>
        {hasTerminal && <TerminalPane bench={bench} />}
      </TabPanel>
      <TabPanel value="lanes">
        <LanesView projectId={bench.projectId} onOpenTask={bench.onOpenTask} />
      </TabPanel>
    </Tabs>
  )
}

/** What is left of the panel when it is closed: the way back. */
export function BottomBar() {
  const { set } = useLayout.getState()
  const open = (bottomTab: BottomTab) => set({ bottomTab, isBottomOpen: true })
  return (
    <div className="flex h-9 shrink-0 items-center gap-5 border-t border-line bg-surface-1 pr-2 pl-4 text-sm text-fg-2">
      <button type="button" className="h-full px-1 hover:text-fg" onClick={() => open('terminal')}>
        Terminal
      </button>
      <button type="button" className="h-full px-1 hover:text-fg" onClick={() => open('lanes')}>
        Lanes
      </button>
      <IconButton label="Open the panel" side="top" className="ml-auto" onClick={() => set({ isBottomOpen: true })}>
        <ChevronUp />
      </IconButton>
    </div>
  )
}
