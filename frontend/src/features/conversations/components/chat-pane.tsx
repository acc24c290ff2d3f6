import { useQuery } from '@tanstack/react-query'
import { ArrowDown, MessagesSquare, TriangleAlert } from 'lucide-react'
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react'
import { ReferenceScope } from '../../../components/references.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { plural } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { projectLog, useDrafts } from '../../realtime/api.ts'
import { type ChatItem, type Refusal, readChat } from '../chat-items.ts'
import { TaskLine, Note, PersonBubble } from './lines.tsx'
import { OfflineNote } from './offline-note.tsx'
import { type AtWork, DraftTurn, TurnBlock, WorkingTurn } from './turn.tsx'

interface ChatPaneProps {
  projectId: string
  /** The plan card belongs to tasks; the workbench puts it here. */
  plan(planId: string): ReactNode
  /** And this line belongs to the sandbox. */
  refusal(refusal: Refusal): ReactNode
  /** The short name of a task, to stand beside who works on it. */
  taskName(taskId: string): string | null
  /** Who is at work right now and says nothing yet. */
  atWork: readonly AtWork[]
  composer: ReactNode
  onOpenTask(taskId: string): void
  onEvidence(seq: number): void
}

const NEAR_PX = 64
/** So many items are drawn at first, and so many more each time the reader goes up. */
const PAGE = 120

export function ChatPane(props: ChatPaneProps) {
  const { projectId, plan, refusal, taskName, atWork, composer, onOpenTask, onEvidence } = props
  const log = useQuery({ ...projectLog(projectId), select: ({ events }) => readChat(events) })
  const drafts = useDrafts((state) => state.byMessage)
  const scroller = useRef<HTMLDivElement>(null)
  const sticks = useRef(true)
  const [isAway, setAway] = useState(false)
  const [seen, setSeen] = useState(0)
  const items = log.data
  const count = items?.length ?? 0
  /** The first item that is drawn; null until the log is here, then it only moves up. */
  const [first, setFirst] = useState<number | null>(null)
  if (items && first === null) setFirst(Math.max(0, count - PAGE))
  const start = first ?? 0
  const fromBottom = useRef<number | null>(null)
  const shownDrafts = Object.values(drafts).filter(({ text }) => text !== '')

  // Keeps the newest words in sight, unless the reader has scrolled up.
  useLayoutEffect(() => {
    if (sticks.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight
  }, [items, drafts, atWork])
  // What is put on top must not move what is being read.
  useLayoutEffect(() => {
    if (fromBottom.current === null || !scroller.current) return
    scroller.current.scrollTop = scroller.current.scrollHeight - fromBottom.current
    fromBottom.current = null
  }, [start])

  const earlier = () => {
    const { scrollTop, scrollHeight } = scroller.current!
    fromBottom.current = scrollHeight - scrollTop
    setFirst(Math.max(0, start - PAGE))
  }
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!
    const wasAway = !sticks.current
    sticks.current = scrollHeight - scrollTop - clientHeight < NEAR_PX
    if (!sticks.current && !wasAway) setSeen(count)
    setAway(!sticks.current)
    if (scrollTop < clientHeight && start > 0 && fromBottom.current === null) earlier()
  }
  const toEnd = () => {
    sticks.current = true
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior: 'smooth' })
  }

  const one = (item: ChatItem): ReactNode => {
    switch (item.kind) {
      case 'person':
        return <PersonBubble message={item.message} />
      case 'turn':
        return (
          <ReferenceScope value={item.taskId}>
            <TurnBlock turn={item} task={item.taskId && taskName(item.taskId)} onEvidence={onEvidence} />
          </ReferenceScope>
        )
      case 'plan':
        return plan(item.planId)
      case 'task':
        return <TaskLine line={item} onOpen={() => onOpenTask(item.taskId)} />
      case 'refusal':
        return refusal(item)
      case 'note':
        return <Note note={item} />
    }
  }

  return (
    <section aria-label="Crew chat" className="flex h-full min-h-0 flex-col">
      <div className="relative flex min-h-0 flex-1 flex-col">
        <div
          ref={scroller}
          onScroll={onScroll}
          tabIndex={0}
          role="log"
          aria-live="polite"
          aria-relevant="additions"
          aria-label="Messages"
          className="focus-inset min-h-0 flex-1 overflow-y-auto overscroll-contain px-3.5 pt-4 pb-3"
        >
          {log.isPending ? (
            <div className="grid gap-4">
              <Skeleton className="ml-auto h-14 w-3/4 rounded-lg" />
              <Skeleton className="h-24 w-full" />
              <Skeleton className="h-40 w-full" />
            </div>
          ) : log.isError ? (
            <Notice
              icon={TriangleAlert}
              tone="bad"
              title="The chat could not be read"
              action={<Button onClick={() => void log.refetch()}>Try again</Button>}
            >
              {messageOf(log.error)}
            </Notice>
          ) : items?.length === 0 ? (
            <Notice icon={MessagesSquare} title="Nobody has spoken yet">
              Say what you would like to have. The manager answers with a plan you can approve or send back.
            </Notice>
          ) : (
            <ol className="grid grid-cols-[minmax(0,1fr)] gap-4">
              {start > 0 && (
                <li className="text-center">
                  <Button size="s" look="ghost" onClick={earlier}>
                    {plural(start, 'earlier entry', 'earlier entries')}
                  </Button>
                </li>
              )}
              {items?.slice(start).map((item) => (
                <li key={item.id} id={`chat-${item.id}`} className="min-w-0">
                  {one(item)}
                </li>
              ))}
              {shownDrafts.map((draft) => (
                <li key={draft.messageId} className="min-w-0">
                  <DraftTurn draft={draft} />
                </li>
              ))}
              {atWork
                .filter(({ runId }) => !shownDrafts.some((draft) => draft.runId === runId))
                .map((who) => (
                  <li key={who.runId} className="min-w-0">
                    <WorkingTurn who={who} />
                  </li>
                ))}
            </ol>
          )}
        </div>
        {isAway && (
          <div className="pointer-events-none absolute inset-x-0 bottom-2 flex justify-center">
            <Button size="s" onClick={toEnd} className="pointer-events-auto rounded-full shadow-lift">
              <ArrowDown className="size-3.5" /> {count > seen ? `${count - seen} new` : 'Newest'}
            </Button>
          </div>
        )}
      </div>
      <OfflineNote />
      {composer}
    </section>
  )
}
