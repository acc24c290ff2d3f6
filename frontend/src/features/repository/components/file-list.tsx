import { useQuery } from '@tanstack/react-query'
import { ChevronRight, File, FileCode2, FileJson2, FileText, FolderOpen, TriangleAlert } from 'lucide-react'
import { useMemo, useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { tree } from '../api.ts'
import { type Folder, folderOf } from '../file-tree.ts'

interface FileListProps {
  projectId: string
  gitRef: string
  openPath: string | null
  onOpenFile(path: string): void
}

/** What a branch holds, to read; the tree comes from the repository, so it is here while the sandbox sleeps. */
export function FileList({ projectId, gitRef, openPath, onOpenFile }: FileListProps) {
  const query = useQuery(tree(projectId, gitRef))
  const root = useMemo(() => folderOf(query.data ?? []), [query.data])
  if (query.isPending) {
    return (
      <div className="grid gap-2 p-4">
        {[60, 80, 50, 70, 65].map((width, key) => (
          <div key={key} style={{ width: `${width}%` }}>
            <Skeleton className="h-4" />
          </div>
        ))}
      </div>
    )
  }
  if (query.isError) {
    return (
      <Notice
        icon={TriangleAlert}
        tone="bad"
        title="The files could not be read"
        action={<Button onClick={() => void query.refetch()}>Try again</Button>}
      >
        {messageOf(query.error)}
      </Notice>
    )
  }
  if (query.data.length === 0) return <Notice icon={FolderOpen} title="This branch is empty" />
  return (
    <nav aria-label={`Files on ${gitRef}`} className="h-full overflow-auto py-2">
      <Level folder={root} depth={0} openPath={openPath} onOpenFile={onOpenFile} />
    </nav>
  )
}

interface LevelProps {
  folder: Folder
  depth: number
  openPath: string | null
  onOpenFile(path: string): void
}

const row =
  'focus-inset flex h-7 w-full items-center gap-1.5 pr-3 text-left text-sm transition-colors duration-[120ms] hover:bg-surface-3/60 max-md:h-11'
const inset = (depth: number) => ({ paddingLeft: 12 + depth * 14 })

const Level = ({ folder, depth, openPath, onOpenFile }: LevelProps) => (
  <ul>
    {folder.folders.map((child) => (
      <FolderRow key={child.path} folder={child} depth={depth} openPath={openPath} onOpenFile={onOpenFile} />
    ))}
    {folder.files.map((file) => {
      const Icon = iconOf(file.name)
      return (
        <li key={file.path}>
          <button
            type="button"
            aria-current={file.path === openPath || undefined}
            onClick={() => onOpenFile(file.path)}
            style={inset(depth)}
            className={cn(row, file.path === openPath && 'bg-surface-3')}
          >
            <Icon aria-hidden className="ml-[18px] size-3.5 shrink-0 text-fg-3" />
            <span className="truncate">{file.name}</span>
          </button>
        </li>
      )
    })}
  </ul>
)

function FolderRow({ folder, depth, ...rest }: LevelProps) {
  const [isOpen, setOpen] = useState(depth === 0 && folder.name === 'src')
  return (
    <li>
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        style={inset(depth)}
        className={row}
      >
        <ChevronRight
          aria-hidden
          className={cn('size-3.5 shrink-0 text-fg-3 transition-transform duration-[120ms]', isOpen && 'rotate-90')}
        />
        <span className="truncate font-medium text-fg-2">{folder.name}</span>
      </button>
      {isOpen && <Level folder={folder} depth={depth + 1} {...rest} />}
    </li>
  )
}

function iconOf(name: string) {
  if (/\.(json|ya?ml|toml)$/.test(name)) return FileJson2
  if (/\.(tsx?|jsx?|mjs|cjs|py|css|html|sh|sql)$/.test(name)) return FileCode2
  return /\.(md|txt)$/.test(name) ? FileText : File
}
