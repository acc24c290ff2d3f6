import { memo, useState } from 'react'
import { Face, type FaceState } from '../../../components/face.tsx'
import { Prose } from '../../../components/prose.tsx'
import { clockTime, plural } from '../../../lib/format.ts'
import { roleLook } from '../../../lib/roles.ts'
import type { Draft } from '../../realtime/api.ts'
import type { Turn, TurnPart } from '../chat-items.ts'
import { ToolLine } from './tool-line.tsx'
import type { ReactNode } from 'react'
import type { Role } from '@guildhall/protocol/roles.ts'

interface FrameProps {
  role: Role
  meta: string
  state: FaceState
  children: ReactNode
}

const Frame = ({ role, meta, state, children }: FrameProps) => {
  const look = roleLook(role)
  return (
    <div className="flex gap-2.5">
      <Face initials={look.initials} colour={look.colour} state={state} size={28} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <p className="flex items-baseline gap-2 text-xs">
          <span className="font-semibold">{look.name}</span>
          <span className="text-fg-3 tabular">{meta}</span>
        </p>
        <div className="mt-0.5 grid grid-cols-[minmax(0,1fr)] gap-1">{children}</div>
      </div>
    </div>
  )
}

const isRunning = ({ parts }: Turn) => parts.some((part) => part.kind === 'tool' && part.step.state === 'begun')

interface TurnBlockProps {
  turn: Turn
  /** The short name of the task it works on. */
  task: string | null
  onEvidence(seq: number): void
}

export const TurnBlock = memo(function TurnBlock({ turn, task, onEvidence }: TurnBlockProps) {
  return (
    <Frame
      role={turn.role}
      meta={[task, clockTime(turn.at)].filter(Boolean).join(' · ')}
      state={isRunning(turn) ? 'working' : 'idle'}
    >
      {grouped(turn.parts).map((part) =>
        Array.isArray(part) ? (
          <ToolLines key={part[0]!.id} parts={part} onEvidence={onEvidence} />
        ) : (
          <Prose key={part.id} text={part.text} className="text-[14px]" />
        ),
      )}
    </Frame>
  )
})

export const DraftTurn = ({ draft }: { draft: Draft }) => (
  <Frame role={draft.role} meta="now" state="working">
    <p className="text-[14px] break-words whitespace-pre-wrap">
      {draft.text}
      <span
        aria-hidden
        className="ml-0.5 inline-block h-[1.1em] w-[2px] translate-y-[0.2em] animate-breathe bg-accent"
      />
    </p>
  </Frame>
)

/** An agent at work whose next words or step are not there yet. */
export interface AtWork {
  runId: string
  role: Role
  task: string | null
  activity: string
}

export const WorkingTurn = ({ who }: { who: AtWork }) => (
  <Frame role={who.role} meta={who.task ?? ''} state="working">
    <p className="animate-breathe text-sm text-fg-2">{who.activity}…</p>
  </Frame>
)

type ToolPart = Extract<TurnPart, { kind: 'tool' }>
type TextPart = Extract<TurnPart, { kind: 'text' }>

function grouped(parts: readonly TurnPart[]): (TextPart | ToolPart[])[] {
  const groups: (TextPart | ToolPart[])[] = []
  for (const part of parts) {
    const last = groups.at(-1)
    if (part.kind === 'text') groups.push(part)
    else if (Array.isArray(last)) last.push(part)
    else groups.push([part])
  }
  return groups
}

const SHOWN = 6

function ToolLines({ parts, onEvidence }: { parts: ToolPart[]; onEvidence(seq: number): void }) {
  const [isWhole, setWhole] = useState(false)
  const hidden = isWhole || parts.length <= SHOWN + 1 ? 0 : parts.length - SHOWN
  return (
    <ul className="my-0.5 grid grid-cols-[minmax(0,1fr)]">
      {hidden > 0 && (
        <li>
          <button
            type="button"
            onClick={() => setWhole(true)}
            className="h-7 text-xs text-fg-3 hover:text-fg hover:underline max-md:h-11"
          >
            {plural(hidden, 'earlier step')}
          </button>
        </li>
      )}
      {parts.slice(hidden).map((part) => (
        <li key={part.id}>
          <ToolLine part={part} onEvidence={onEvidence} />
        </li>
      ))}
    </ul>
  )
}
