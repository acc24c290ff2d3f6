import { useQuery } from '@tanstack/react-query'
import { ChevronRight, FileX2, GitBranch, TriangleAlert } from 'lucide-react'
import { Fragment, useMemo } from 'react'
import { CodeLines } from '../../../components/code.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { pill } from '../../../components/ui/chip.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { bytes, shortBranch } from '../../../lib/format.ts'
import { tokenLines } from '../../../lib/highlight.ts'
import { messageOf } from '../../../lib/request.ts'
import { fileAtRef } from '../api.ts'

interface FileViewProps {
  projectId: string
  gitRef: string
  path: string
  /** The line that someone pointed at. */
  line: number | null
}

/** A file as a branch has it, to read. */
export function FileView({ projectId, gitRef, path, line }: FileViewProps) {
  const query = useQuery(fileAtRef(projectId, gitRef, path))
  return (
    <article aria-label={path} className="flex h-full min-h-0 flex-col">
      <header className="flex h-10 shrink-0 items-center gap-1 px-4 text-xs text-fg-2">
        <span className="flex min-w-0 items-center gap-1 truncate font-mono">
          {path.split('/').map((part, index) => (
            <Fragment key={index}>
              {index > 0 && <ChevronRight aria-hidden className="size-3 shrink-0 text-fg-3" />}
              <span className="truncate">{part}</span>
            </Fragment>
          ))}
        </span>
        <span className="ml-auto flex shrink-0 items-center gap-2">
          {query.data && <span className="text-fg-3 tabular">{bytes(query.data.sizeBytes)}</span>}
          <span className={pill}>
            <GitBranch aria-hidden /> {shortBranch(gitRef)}
          </span>
        </span>
      </header>
      <div
        tabIndex={0}
        role="group"
        aria-label={`Text of ${path}`}
        className="focus-inset min-h-0 flex-1 overflow-auto"
      >
        {query.isPending ? (
          <div className="grid gap-2 p-4">
            {[40, 62, 30, 55, 70, 48].map((width, key) => (
              <div key={key} style={{ width: `${width}%` }}>
                <Skeleton className="h-3.5" />
              </div>
            ))}
          </div>
        ) : query.isError ? (
          <Notice
            icon={TriangleAlert}
            tone="bad"
            title="The file could not be read"
            action={<Button onClick={() => void query.refetch()}>Try again</Button>}
          >
            {messageOf(query.error)}
          </Notice>
        ) : query.data.content === null ? (
          <Notice icon={FileX2} title={query.data.binary ? 'A binary file' : 'Too large to show'}>
            {bytes(query.data.sizeBytes)}; open it from the terminal.
          </Notice>
        ) : (
          <Source content={query.data.content} path={path} line={line} />
        )}
      </div>
    </article>
  )
}

function Source({ content, path, line }: { content: string; path: string; line: number | null }) {
  const lines = useMemo(() => tokenLines(content.replace(/\n$/, ''), path), [content, path])
  return <CodeLines lines={lines} marked={line} />
}
