import { FolderTree, ListChecks, MessagesSquare } from 'lucide-react'
import { Group, Panel, Separator, useDefaultLayout } from 'react-resizable-panels'
import { IconButton } from '../../components/ui/icon-button.tsx'
import { PreviewPane } from '../../features/preview/components/preview-pane.tsx'
import { ProvisioningView } from '../../features/projects/components/provisioning.tsx'
import { cn } from '../../lib/cn.ts'
import { type Bench, isBeingMade } from './bench.ts'
import { BottomBar, BottomPanel } from './bottom-panel.tsx'
import { ChatSide, FilesSide, TasksSide } from './sides.tsx'
import { Middle } from './middle.tsx'
import { type Side, useLayout } from './view.ts'

const sides = [
  { side: 'chat', label: 'Chat', icon: MessagesSquare },
  { side: 'files', label: 'Files', icon: FolderTree },
  { side: 'tasks', label: 'Tasks', icon: ListChecks },
] as const

export function DesktopLayout({ bench }: { bench: Bench }) {
  const side = useLayout((layout) => layout.side)
  const isBottomOpen = useLayout((layout) => layout.isBottomOpen)
  const isMade = !isBeingMade(bench)
  const across = useDefaultLayout({
    id: 'guildhall.across',
    panelIds: isMade ? ['side', 'middle', 'preview'] : ['side', 'making'],
  })
  const down = useDefaultLayout({ id: 'guildhall.down', panelIds: isBottomOpen ? ['work', 'bottom'] : ['work'] })
  if (isMade && bench.views.isWide && bench.views.view) {
    return (
      <main id="main" className="min-h-0 flex-1">
        <Middle bench={bench} />
      </main>
    )
  }
  return (
    <div className="flex min-h-0 flex-1">
      <Rail side={side} />
      <Group
        key={String(isMade)}
        orientation="horizontal"
        className="min-w-0 flex-1"
        defaultLayout={across.defaultLayout}
        onLayoutChanged={across.onLayoutChanged}
      >
        <Panel id="side" defaultSize="24" minSize={260} className="h-full">
          <SidePane bench={bench} side={side} />
        </Panel>
        <Divider />
        {isMade ? (
          <>
            <Panel id="middle" defaultSize="47" minSize={320}>
              <main id="main" className="flex h-full min-h-0 flex-col">
                <Group
                  key={String(isBottomOpen)}
                  orientation="vertical"
                  className="min-h-0 flex-1"
                  defaultLayout={down.defaultLayout}
                  onLayoutChanged={down.onLayoutChanged}
                >
                  <Panel id="work" defaultSize={isBottomOpen ? '70' : '100'} minSize={140}>
                    <Middle bench={bench} />
                  </Panel>
                  {isBottomOpen && (
                    <>
                      <Divider isAcross />
                      <Panel id="bottom" defaultSize="30" minSize={110}>
                        <BottomPanel bench={bench} />
                      </Panel>
                    </>
                  )}
                </Group>
                {!isBottomOpen && <BottomBar />}
              </main>
            </Panel>
            <Divider />
            <Panel id="preview" defaultSize="29" minSize={240}>
              <PreviewPane
                projectId={bench.projectId}
                mainBranch={bench.detail.project.defaultBranch}
                canWork={bench.canWork}
              />
            </Panel>
          </>
        ) : (
          <Panel id="making" defaultSize="76">
            <main id="main" className="h-full">
              <ProvisioningView project={bench.detail.project} />
            </main>
          </Panel>
        )}
      </Group>
    </div>
  )
}

/** A hairline to look at, nine pixels to take hold of. */
const Divider = ({ isAcross = false }: { isAcross?: boolean }) => (
  <Separator
    className={cn(
      'relative z-10 bg-line transition-colors duration-[120ms] hover:bg-accent focus-visible:bg-accent data-[separator=active]:bg-accent data-[separator=hover]:bg-accent',
      isAcross ? 'h-px' : 'w-px',
    )}
  />
)

const Rail = ({ side }: { side: Side }) => (
  <nav
    aria-label="Side"
    className="flex w-12 shrink-0 flex-col items-center gap-1.5 border-r border-line bg-surface-1 py-2"
  >
    {sides.map(({ side: wanted, label, icon: Icon }) => (
      <div key={wanted} className="relative w-full">
        {side === wanted && <span aria-hidden className="absolute inset-y-2 left-0 w-0.5 rounded-full bg-accent" />}
        <IconButton
          label={label}
          side="right"
          aria-pressed={side === wanted}
          onClick={() => useLayout.getState().set({ side: wanted })}
          className={cn(
            'mx-auto flex! size-9 items-center justify-center rounded-md [&>svg]:size-[18px]',
            side === wanted && 'bg-surface-3 text-fg',
          )}
        >
          <Icon />
        </IconButton>
      </div>
    ))}
  </nav>
)

function SidePane({ bench, side }: { bench: Bench; side: Side }) {
  if (side === 'files') return <FilesSide bench={bench} />
  if (side === 'tasks') return <TasksSide bench={bench} />
  return <ChatSide bench={bench} />
}
