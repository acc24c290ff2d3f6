import type { Message } from '@guildhall/protocol/conversations.ts'
import { CircleAlert, CircleCheck, CircleDot, Info, TriangleAlert } from 'lucide-react'
import { Prose } from '../../../components/prose.tsx'
import { cn } from '../../../lib/cn.ts'
import { clockTime } from '../../../lib/format.ts'
import type { ChatItem, NoteTone } from '../chat-items.ts'

const looks = {
  neutral: { icon: CircleDot, colour: 'text-fg-3' },
  ok: { icon: CircleCheck, colour: 'text-ok' },
  warn: { icon: TriangleAlert, colour: 'text-warn' },
  bad: { icon: CircleAlert, colour: 'text-bad' },
} satisfies Record<NoteTone, unknown>

export const PersonBubble = ({ message }: { message: Message }) => (
  <div className="ml-9 flex justify-end">
    <p className="rounded-lg rounded-br-[4px] bg-surface-3 px-3.5 py-2.5 text-[14px] break-words whitespace-pre-wrap">
      <span className="sr-only">You, {clockTime(message.createdAt)}: </span>
      {message.content}
    </p>
  </div>
)

export function TaskLine({ line, onOpen }: { line: Extract<ChatItem, { kind: 'task' }>; onOpen(): void }) {
  const { icon: Icon, colour } = looks[line.tone]
  return (
    <button
      type="button"
      onClick={onOpen}
      className="group flex w-full items-start gap-2 rounded-sm text-left text-sm text-fg-2 hover:text-fg max-md:min-h-9"
    >
      <span className="grid h-5 w-7 shrink-0 place-items-center">
        <Icon aria-hidden className={cn('size-4', colour)} />
      </span>
      <span className="min-w-0 flex-1 break-words">
        <span className="font-medium text-fg group-hover:underline">{line.title}</span> ·{' '}
        <span className={line.tone === 'bad' ? 'text-bad' : undefined}>{line.text}</span>
      </span>
      <time dateTime={line.at} className="text-2xs leading-5 text-fg-3 tabular">
        {clockTime(line.at)}
      </time>
    </button>
  )
}

export function Note({ note }: { note: Extract<ChatItem, { kind: 'note' }> }) {
  const { icon: Icon, colour } = note.tone === 'neutral' ? { icon: Info, colour: 'text-fg-3' } : looks[note.tone]
  return (
    <div className="flex items-start gap-2 text-sm text-fg-2">
      <span className="grid h-5 w-7 shrink-0 place-items-center">
        <Icon aria-hidden className={cn('size-4', colour)} />
      </span>
      <Prose text={note.text} className={cn('min-w-0 flex-1', note.tone === 'bad' && 'text-bad')} />
      <time dateTime={note.at} className="text-2xs leading-5 text-fg-3 tabular">
        {clockTime(note.at)}
      </time>
    </div>
  )
}
