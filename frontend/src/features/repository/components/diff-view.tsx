import type { DiffFile, Hunk } from '@guildhall/protocol/repository.ts'
import { useQuery } from '@tanstack/react-query'
import { ChevronDown, FileDiff, GitCompare, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { cn } from '../../../lib/cn.ts'
import { plural } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { diff } from '../api.ts'

interface DiffViewProps {
  projectId: string
  /** Null while there is nothing to compare yet. */
  range: { from: string; to: string } | null
}

export function DiffView({ projectId, range }: DiffViewProps) {
  const query = useQuery({ ...diff(projectId, range?.from ?? '', range?.to ?? ''), enabled: range !== null })
  if (range === null) {
    return (
      <Notice icon={GitCompare} title="Nothing has changed yet">
        The change stands here, file by file, once the work on its branch has begun.
      </Notice>
    )
  }
  if (query.isPending) {
    return (
      <div className="grid gap-3 p-4">
        <Skeleton className="h-6 w-48" />
        <Skeleton className="h-48" />
      </div>
    )
  }
  if (query.isError) {
    return (
      <Notice
        icon={TriangleAlert}
        tone="bad"
        title="The change could not be read"
        action={<Button onClick={() => void query.refetch()}>Try again</Button>}
      >
        {messageOf(query.error)}
      </Notice>
    )
  }
  const { files, additions, deletions, truncated } = query.data
  return (
    <div className="p-4">
      <p className="mb-3 flex items-center gap-3 text-sm tabular">
        <span className="font-semibold">{plural(files.length, 'file')}</span>
        <span className="text-ok">+{additions}</span>
        <span className="text-bad">−{deletions}</span>
      </p>
      <div className="grid gap-4">
        {files.map((file) => (
          <FileDiffCard key={file.path} file={file} />
        ))}
      </div>
      {truncated && (
        <p className="mt-3 text-sm text-fg-2">
          The change is larger than 2 MB; the remaining files are named without their lines.
        </p>
      )}
    </div>
  )
}

const statusWord: Record<DiffFile['status'], string> = {
  added: 'new',
  modified: '',
  deleted: 'deleted',
  renamed: 'moved',
}

function FileDiffCard({ file }: { file: DiffFile }) {
  const [isOpen, setOpen] = useState(true)
  return (
    <section aria-label={file.path} className="overflow-hidden rounded-md border border-line bg-surface-1">
      <h4>
        <button
          type="button"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          className="focus-inset flex h-9 w-full items-center gap-2 px-3 text-left font-mono text-xs max-md:h-11"
        >
          <FileDiff aria-hidden className="size-4 shrink-0 text-fg-2" />
          <span className="min-w-0 truncate" title={file.path}>
            {file.oldPath && file.oldPath !== file.path ? `${file.oldPath} → ${file.path}` : file.path}
          </span>
          {statusWord[file.status] && <span className="text-fg-3">{statusWord[file.status]}</span>}
          <span className="ml-auto flex shrink-0 gap-2 tabular">
            {file.additions > 0 && <span className="text-ok">+{file.additions}</span>}
            {file.deletions > 0 && <span className="text-bad">−{file.deletions}</span>}
          </span>
          <ChevronDown
            aria-hidden
            className={cn('size-3.5 shrink-0 text-fg-3 transition-transform duration-[120ms]', !isOpen && '-rotate-90')}
          />
        </button>
      </h4>
      {isOpen &&
        (file.hunks.length > 0 ? (
          <div tabIndex={0} role="group" aria-label={`Changes in ${file.path}`} className="focus-inset overflow-x-auto">
            {file.hunks.map((hunk) => (
              <HunkLines key={`${hunk.oldStart}.${hunk.newStart}`} hunk={hunk} />
            ))}
          </div>
        ) : (
          <p className="border-t border-line px-3 py-2 text-sm text-fg-2">
            {file.binary ? 'A binary file.' : 'No lines to show.'}
          </p>
        ))}
    </section>
  )
}

const sign = { context: ' ', added: '+', removed: '-' } as const
const tint = { context: '', added: 'bg-ok/14', removed: 'bg-bad/14' } as const

const HunkLines = ({ hunk }: { hunk: Hunk }) => (
  <table className="w-full min-w-max border-collapse font-mono text-xs leading-5">
    <thead>
      <tr className="border-t border-line bg-surface-3/70 text-left text-fg-2">
        <th colSpan={4} scope="colgroup" className="px-3 py-1 font-normal">
          @@ {hunk.newStart},{hunk.newLines}
          {hunk.heading && ` · ${hunk.heading}`}
        </th>
      </tr>
    </thead>
    <tbody>
      {hunk.lines.map((line, index) => (
        <tr key={index} className={tint[line.kind]}>
          <td className="w-10 pr-2 pl-3 text-right text-fg-2 select-none tabular">{line.oldLine}</td>
          <td className="w-10 pr-2 text-right text-fg-2 select-none tabular">{line.newLine}</td>
          <td className={cn('w-4 select-none', line.kind === 'added' ? 'text-ok' : 'text-bad')}>
            {line.kind === 'context' ? <span className="sr-only">unchanged</span> : sign[line.kind]}
          </td>
          <td className="pr-4 whitespace-pre">{line.text}</td>
        </tr>
      ))}
    </tbody>
  </table>
)
