import type { TreeEntry } from '@guildhall/protocol/repository.ts'

export interface Folder {
  name: string
  path: string
  folders: Folder[]
  files: { name: string; path: string }[]
}

const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)

/** A flat listing as a tree: folders first, each sorted. */
export function folderOf(entries: readonly TreeEntry[]): Folder {
  const root: Folder = { name: '', path: '', folders: [], files: [] }
  const known = new Map<string, Folder>([['', root]])
  const folder = (path: string): Folder => {
    const found = known.get(path)
    if (found) return found
    const cut = path.lastIndexOf('/')
    const made: Folder = { name: path.slice(cut + 1), path, folders: [], files: [] }
    folder(cut < 0 ? '' : path.slice(0, cut)).folders.push(made)
    known.set(path, made)
    return made
  }
  for (const { path, kind } of entries) {
    if (kind === 'directory') folder(path)
    else {
      const cut = path.lastIndexOf('/')
      folder(cut < 0 ? '' : path.slice(0, cut)).files.push({ name: path.slice(cut + 1), path })
    }
  }
  for (const each of known.values()) {
    each.folders.sort(byName)
    each.files.sort(byName)
  }
  return root
}
