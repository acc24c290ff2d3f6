import { SquareTerminal, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Chip } from '../../../components/ui/chip.tsx'
import { cn } from '../../../lib/cn.ts'
import { shortBranch } from '../../../lib/format.ts'
import type { TerminalSession, TerminalState } from '../terminal-session.ts'
import {
  changeTabs,
  noTabs,
  type TerminalTab,
  useTerminalTabs,
  withoutTab,
  withShell,
  withTab,
} from '../terminal-tabs.ts'
import { NewTerminal } from './new-terminal.tsx'
import { Terminal } from './terminal.tsx'

interface TerminalsProps {
  projectId: string
  mainBranch: string
}

/** Several shells side by side, each in the work tree of a branch. Closing one ends it; leaving the page does not. */
export default function Terminals({ projectId, mainBranch }: TerminalsProps) {
  const stored = useTerminalTabs(({ byProject }) => byProject[projectId])
  const { tabs, front } = stored ?? noTabs
  const [takesFocus, setTakesFocus] = useState(false)
  const [states, setStates] = useState<Readonly<Record<string, TerminalState>>>({})
  const sessions = useRef(new Map<string, TerminalSession | null>())
  const isNew = stored === undefined
  const change = (how: Parameters<typeof changeTabs>[1]) => changeTabs(projectId, how)
  const add = (branch: string, terminalId?: string) => {
    setTakesFocus(true)
    change((before) => withTab(before, branch, terminalId))
  }
  // Whoever opens the panel for the first time wants a shell, not a button for one.
  useEffect(() => {
    if (isNew) changeTabs(projectId, (before) => (before.tabs.length > 0 ? before : withTab(before, mainBranch)))
  }, [isNew, projectId, mainBranch])

  return (
    <div className="flex h-full min-h-0 flex-col">
      <nav
        aria-label="Terminals"
        className="hairline-b flex h-8 shrink-0 items-center gap-1 bg-surface-1 px-2 max-md:h-11"
      >
        <ul className="flex h-full min-w-0 overflow-x-auto [scrollbar-width:none]">
          {tabs.map((tab) => (
            <Tab
              key={tab.key}
              tab={tab}
              state={states[tab.key]}
              isFront={tab.key === front}
              onShow={() => {
                setTakesFocus(true)
                change((before) => ({ ...before, front: tab.key }))
              }}
              onClose={() => {
                sessions.current.get(tab.key)?.kill()
                change((before) => withoutTab(before, tab.key))
              }}
            />
          ))}
        </ul>
        <NewTerminal
          projectId={projectId}
          mainBranch={mainBranch}
          known={tabs.map(({ terminalId }) => terminalId)}
          onNew={add}
        />
      </nav>
      <div className="relative min-h-0 flex-1">
        {tabs.map((tab) => (
          <div key={tab.key} className={cn('h-full', tab.key !== front && 'hidden')}>
            <Terminal
              projectId={projectId}
              branch={tab.branch}
              terminalId={tab.terminalId}
              isFront={tab.key === front}
              takesFocus={takesFocus}
              onSession={(session) => sessions.current.set(tab.key, session)}
              onState={(state) => setStates((before) => ({ ...before, [tab.key]: state }))}
              onShell={(terminalId) => change((before) => withShell(before, tab.key, terminalId))}
            />
          </div>
        ))}
        {tabs.length === 0 && !isNew && (
          <Notice
            icon={SquareTerminal}
            title="No terminal is open"
            action={<Button onClick={() => add(mainBranch)}>New terminal on {mainBranch}</Button>}
          />
        )}
      </div>
    </div>
  )
}

interface TabProps {
  tab: TerminalTab
  state: TerminalState | undefined
  isFront: boolean
  onShow(): void
  onClose(): void
}

function Tab({ tab, state, isFront, onShow, onClose }: TabProps) {
  const name = `${shortBranch(tab.branch)}${tab.number > 1 ? ` ${tab.number}` : ''}`
  const exitCode = state?.kind === 'exited' ? state.exitCode : null
  return (
    <li
      className={cn(
        'relative flex shrink-0 items-center text-xs',
        isFront
          ? 'text-fg after:absolute after:inset-x-1 after:bottom-0 after:h-0.5 after:rounded-full after:bg-accent'
          : 'text-fg-2 hover:text-fg',
      )}
    >
      <button
        type="button"
        aria-current={isFront ? 'true' : undefined}
        title={`Terminal on ${tab.branch}`}
        onClick={onShow}
        className="focus-inset flex h-full items-center gap-1.5 rounded-sm pr-1 pl-2"
      >
        <SquareTerminal aria-hidden className="size-3.5 shrink-0 text-fg-3" />
        <span className="max-w-40 truncate">{name}</span>
        {state?.kind === 'exited' && (
          <Chip tone={exitCode === 0 ? 'neutral' : 'warn'}>{exitCode === null ? 'ended' : `exit ${exitCode}`}</Chip>
        )}
      </button>
      <button
        type="button"
        aria-label={`Close terminal ${name}`}
        title="Close and end it"
        onClick={onClose}
        className="focus-inset grid size-6 place-items-center rounded-sm text-fg-3 hover:bg-surface-3 hover:text-fg max-md:size-11"
      >
        <X className="size-3.5" />
      </button>
    </li>
  )
}
