import { PreviewPath } from '@guildhall/protocol/preview.ts'
import { create } from 'zustand'
import { createJSONStorage, persist } from 'zustand/middleware'

/** In pixels; null fills the pane. */
export type Width = 390 | 768 | 1280 | null

interface Place {
  /** Null: the project's main branch. */
  branch: string | null
  width: Width
  /** Where each branch's page was last seen. */
  paths: Readonly<Record<string, string>>
}
const nowhere: Place = { branch: null, width: null, paths: {} }

/** What the preview shows, by project: kept for this browser tab, so that a reload or another pane loses nothing. */
export const usePlaces = create<{ byProject: Readonly<Record<string, Place>> }>()(
  persist((): { byProject: Readonly<Record<string, Place>> } => ({ byProject: {} }), {
    name: 'guildhall.preview',
    version: 1,
    storage: createJSONStorage(() => sessionStorage),
  }),
)

export const usePlace = (projectId: string): Place => usePlaces(({ byProject }) => byProject[projectId] ?? nowhere)

export function changePlace(projectId: string, change: (place: Place) => Partial<Place>): void {
  const { byProject } = usePlaces.getState()
  const place = byProject[projectId] ?? nowhere
  usePlaces.setState({ byProject: { ...byProject, [projectId]: { ...place, ...change(place) } } })
}

/** What was typed as a path of this origin; null for a place elsewhere. A whole address of the preview is taken too. */
export function pathFrom(typed: string, origin: string): string | null {
  const text = typed.trim()
  const isAddress = /^[a-z][a-z0-9+.-]*:/i.test(text)
  const base = `${origin}/`
  const wanted = isAddress || text.startsWith('/') ? text : `/${text}`
  if (!URL.canParse(wanted, base)) return null
  const url = new URL(wanted, base)
  if (url.origin !== new URL(base).origin) return null
  const path = PreviewPath.safeParse(url.pathname + url.search + url.hash)
  return path.success ? path.data : null
}
