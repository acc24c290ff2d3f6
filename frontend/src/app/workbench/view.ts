import { useSearchParams } from 'react-router'
import { type SettingsSection, settingsSections } from '../../features/projects/components/settings-dialog.tsx'
import { create } from 'zustand'
import { persist } from 'zustand/middleware'

/** What the middle shows. A link restores it: it lives in the address as `?view=`. */
export type View = { kind: 'task'; taskId: string } | { kind: 'file'; gitRef: string; path: string }

export const viewKey = (view: View): string =>
  view.kind === 'task' ? `task:${view.taskId}` : `file:${view.gitRef}:${view.path}`

/** A git ref holds no colon, so the first two colons always separate. */
export function parseView(key: string | null): View | null {
  const [, kind, rest] = /^(task|file):(.+)$/s.exec(key ?? '') ?? []
  if (rest === undefined) return null
  if (kind === 'task') return { kind: 'task', taskId: rest }
  const cut = rest.indexOf(':')
  return cut > 0 && cut < rest.length - 1
    ? { kind: 'file', gitRef: rest.slice(0, cut), path: rest.slice(cut + 1) }
    : null
}

export type Side = 'chat' | 'files' | 'tasks'
export type BottomTab = 'terminal' | 'lanes'
export type Pane = 'chat' | 'work' | 'preview' | 'lanes' | 'terminal'

interface Layout {
  side: Side
  bottomTab: BottomTab
  isBottomOpen: boolean
  /** Keys of the views that stand as tabs, by project. */
  tabs: Record<string, string[]>
  set(change: Partial<Pick<Layout, 'side' | 'bottomTab' | 'isBottomOpen'>>): void
  addTab(projectId: string, key: string): void
  removeTab(projectId: string, key: string): void
}

export const useLayout = create<Layout>()(
  persist(
    (set) => ({
      side: 'chat',
      bottomTab: 'lanes',
      isBottomOpen: true,
      tabs: {},
      set,
      addTab: (projectId, key) =>
        set(({ tabs }) => {
          const open = tabs[projectId] ?? []
          return open.includes(key) ? {} : { tabs: { ...tabs, [projectId]: [...open, key] } }
        }),
      removeTab: (projectId, key) =>
        set(({ tabs }) => ({ tabs: { ...tabs, [projectId]: (tabs[projectId] ?? []).filter((open) => open !== key) } })),
    }),
    { name: 'guildhall.layout', version: 1 },
  ),
)

const noTabs: string[] = []

/** The open views of a project and the way to change them. */
export function useViews(projectId: string) {
  const [search, setSearch] = useSearchParams()
  const key = search.get('view')
  const tabs = useLayout((layout) => layout.tabs[projectId] ?? noTabs)
  const { addTab, removeTab } = useLayout.getState()
  const change = (to: (search: URLSearchParams) => void, replace = true) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before)
        to(after)
        return after
      },
      { replace },
    )
  const show = (next: string | null, pane?: Pane, line: number | null = null) =>
    change((after) => {
      if (line === null) after.delete('line')
      else after.set('line', String(line))
      if (next === null) {
        after.delete('view')
        after.delete('wide')
      } else after.set('view', next)
      if (pane) after.set('pane', pane)
    }, next === null)
  return {
    key,
    view: parseView(key),
    /** The line of a file that someone pointed at. */
    line: Number(search.get('line')) || null,
    tabs: key !== null && parseView(key) && !tabs.includes(key) ? [...tabs, key] : tabs,
    pane: (search.get('pane') ?? 'chat') as Pane,
    /** The document alone, over the width of the page. */
    isWide: search.get('wide') === '1',
    setWide: (isWide: boolean) => change((after) => (isWide ? after.set('wide', '1') : after.delete('wide'))),
    settings: settingsSections.find((section) => section === search.get('settings')) ?? null,
    setSettings: (section: SettingsSection | null) =>
      change((after) => (section ? after.set('settings', section) : after.delete('settings'))),
    showPane: (pane: Pane) => change((after) => after.set('pane', pane)),
    show,
    open(view: View, line: number | null = null) {
      const wanted = viewKey(view)
      addTab(projectId, wanted)
      show(wanted, 'work', line)
    },
    close(closing: string) {
      removeTab(projectId, closing)
      if (closing !== key) return
      const left = tabs.filter((open) => open !== closing)
      show(left[Math.max(0, tabs.indexOf(closing) - 1)] ?? null)
    },
  }
}
export type Views = ReturnType<typeof useViews>
