import type { ToolStep } from '@guildhall/protocol/agents.ts'
import {
  ChevronRight,
  CircleHelp,
  Eye,
  FileCode2,
  FilePenLine,
  FilePlus2,
  FileSearch,
  Flag,
  FolderTree,
  Gavel,
  GitCommitHorizontal,
  ListChecks,
  type LucideIcon,
  MessageSquare,
  Search,
  SquareTerminal,
  Wrench,
} from 'lucide-react'
import { useState } from 'react'
import { Output } from '../../../components/code.tsx'
import { useReference } from '../../../components/references.tsx'
import { pillButton } from '../../../components/ui/chip.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { cn } from '../../../lib/cn.ts'
import { duration, groupedNumber } from '../../../lib/format.ts'
import type { TurnPart } from '../chat-items.ts'

const icons: Record<string, LucideIcon> = {
  read: FileSearch,
  list: FolderTree,
  glob: FolderTree,
  grep: Search,
  edit: FilePenLine,
  apply_patch: FilePenLine,
  write: FilePlus2,
  shell: SquareTerminal,
  check: ListChecks,
  commit: GitCommitHorizontal,
  plan: ListChecks,
  verdict: Gavel,
  finish: Flag,
  message: MessageSquare,
  ask: CircleHelp,
  preview: Eye,
}

/** `+41 −3` in its two colours; any other figure as it is. */
function Figure({ step }: { step: ToolStep }) {
  const counts = /^\+(\d+)\s*[−-](\d+)$/.exec(step.figure ?? '')
  if (counts) {
    return (
      <span className="shrink-0">
        <span className="text-ok">+{counts[1]}</span> <span className="text-bad">−{counts[2]}</span>
      </span>
    )
  }
  const text = step.figure ?? (step.durationMs === null ? '' : duration(step.durationMs))
  return (
    <span
      className={cn(
        'shrink-0',
        step.state === 'failed' ? 'text-bad' : /^exit [^0]/.test(text) ? 'text-warn' : 'text-fg-3',
      )}
    >
      {text}
    </span>
  )
}

interface ToolLineProps {
  part: Extract<TurnPart, { kind: 'tool' }>
  onEvidence(seq: number): void
}

/** One tool call: what, with which outcome; a click shows the output itself. */
export function ToolLine({ part: { step, seq }, onEvidence }: ToolLineProps) {
  const [isOpen, setOpen] = useState(false)
  const Icon = icons[step.tool] ?? Wrench
  /** The file that it read or changed, if its title names one. */
  const file = step.title.split(' ')[1] ?? ''
  const openFile = useReference(file)
  const isBad = step.state === 'failed' || step.state === 'interrupted'
  return (
    <div>
      <button
        type="button"
        aria-expanded={isOpen}
        disabled={step.detail === null}
        onClick={() => setOpen(!isOpen)}
        className="group focus-inset flex h-[26px] w-full items-center gap-2 rounded-sm text-left font-mono text-xs text-fg-2 enabled:hover:text-fg max-md:h-9"
      >
        {step.state === 'begun' ? (
          <Spinner className="text-fg-3" />
        ) : (
          <Icon aria-hidden className={cn('size-3.5 shrink-0', isBad ? 'text-bad' : 'text-fg-3')} />
        )}
        <span className="min-w-0 flex-1 truncate">{step.title}</span>
        {step.state === 'interrupted' && <span className="text-warn">interrupted</span>}
        {step.state !== 'begun' && <Figure step={step} />}
        {step.detail !== null && (
          <ChevronRight
            aria-hidden
            className={cn(
              'size-3 shrink-0 text-fg-3 transition-transform duration-[120ms] md:hidden',
              isOpen && 'rotate-90',
            )}
          />
        )}
      </button>
      {isOpen && step.detail !== null && (
        <div className="mt-1 mb-2 grid animate-fade grid-cols-[minmax(0,1fr)] gap-1.5">
          <Output text={step.detail} className="max-h-64" />
          <div className="flex min-w-0 gap-1.5">
            <button type="button" className={cn(pillButton, 'h-6 shrink-0 text-2xs')} onClick={() => onEvidence(seq)}>
              ev {groupedNumber(seq)}
            </button>
            {openFile && (
              <button type="button" className={cn(pillButton, 'h-6 text-2xs')} onClick={openFile}>
                <FileCode2 aria-hidden /> <span className="truncate">{file}</span>
              </button>
            )}
          </div>
        </div>
      )}
    </div>
  )
}
