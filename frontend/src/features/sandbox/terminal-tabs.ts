import { create } from 'zustand'
import { createJSONStorage, persist } from 'zustand/middleware'

export interface TerminalTab {
  key: string
  branch: string
  /** Tells two tabs of one branch apart. */
  number: number
  /** Null until its shell stands, and again once it has ended. */
  terminalId: string | null
}
export interface TerminalTabs {
  tabs: readonly TerminalTab[]
  /** Key of the one in front. */
  front: string | null
}
export const noTabs: TerminalTabs = { tabs: [], front: null }

/** The terminals of this browser tab, by project: after a reload the same shells are attached to again. */
export const useTerminalTabs = create<{ byProject: Readonly<Record<string, TerminalTabs>> }>()(
  persist((): { byProject: Readonly<Record<string, TerminalTabs>> } => ({ byProject: {} }), {
    name: 'guildhall.terminals',
    version: 1,
    storage: createJSONStorage(() => sessionStorage),
  }),
)

export function changeTabs(projectId: string, change: (before: TerminalTabs) => TerminalTabs): void {
  const { byProject } = useTerminalTabs.getState()
  useTerminalTabs.setState({ byProject: { ...byProject, [projectId]: change(byProject[projectId] ?? noTabs) } })
}

/** A new tab in front: a new shell on a branch, or one that runs already. */
export function withTab({ tabs }: TerminalTabs, branch: string, terminalId: string | null = null): TerminalTabs {
  const number = Math.max(0, ...tabs.filter((tab) => tab.branch === branch).map((tab) => tab.number)) + 1
  const key = crypto.randomUUID()
  return { tabs: [...tabs, { key, branch, number, terminalId }], front: key }
}

/** Without a tab; its neighbour comes to the front. */
export function withoutTab({ tabs, front }: TerminalTabs, key: string): TerminalTabs {
  const at = tabs.findIndex((tab) => tab.key === key)
  const left = tabs.filter((tab) => tab.key !== key)
  return { tabs: left, front: front === key ? (left[Math.max(0, at - 1)]?.key ?? null) : front }
}

export const withShell = ({ tabs, front }: TerminalTabs, key: string, terminalId: string | null): TerminalTabs => ({
  tabs: tabs.map((tab) => (tab.key === key ? { ...tab, terminalId } : tab)),
  front,
})
