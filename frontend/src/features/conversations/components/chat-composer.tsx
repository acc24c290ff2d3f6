import { useMutation, useQuery } from '@tanstack/react-query'
import { ArrowUp, Sparkles, Square } from 'lucide-react'
import { type KeyboardEvent, useId, useLayoutEffect, useRef, useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { pill } from '../../../components/ui/chip.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { Tooltip } from '../../../components/ui/tooltip.tsx'
import { cn } from '../../../lib/cn.ts'
import { isProblem, messageOf } from '../../../lib/request.ts'
import { modelInUse, modelList, modelName } from '../../llm/api.ts'
import { sendChat, stopChat, useUnsent } from '../api.ts'
import { complete, type Mention, openMention } from '../mention.ts'
import { MentionList, optionId } from './mention-list.tsx'

interface ChatComposerProps {
  projectId: string
  /** The project's own choice of model, if it made one. */
  wantedModel: string | null
  isWorking: boolean
  /** Why nothing can be sent; null when it can. */
  blocked: string | null
}

export function ChatComposer({ projectId, wantedModel, isWorking, blocked }: ChatComposerProps) {
  const id = useId()
  const content = useUnsent((unsent) => unsent[projectId] ?? '')
  const setContent = (text: string) => useUnsent.setState({ [projectId]: text })
  const underWay = useRef(false)
  const field = useRef<HTMLTextAreaElement>(null)
  const [caret, setCaret] = useState(0)
  const [chosen, setChosen] = useState(0)
  /** Where the mention stands that the person closed without taking one. */
  const [dismissedAt, setDismissedAt] = useState<number | null>(null)
  const caretAfter = useRef<number | null>(null)
  const open = openMention(content, caret)
  const mention = open && open.start !== dismissedAt ? open : null
  const index = mention ? Math.min(chosen, mention.matches.length - 1) : 0
  useLayoutEffect(() => {
    if (caretAfter.current === null) return
    field.current?.setSelectionRange(caretAfter.current, caretAfter.current)
    caretAfter.current = null
  }, [content])
  const send = useMutation({
    mutationFn: (text: string) => sendChat(projectId, text),
    onSuccess: (_, sent) => {
      if (useUnsent.getState()[projectId]?.trim() === sent) setContent('')
    },
    onSettled: () => {
      underWay.current = false
    },
  })
  const stop = useMutation({ mutationFn: () => stopChat(projectId) })

  const submit = () => {
    const text = content.trim()
    if (underWay.current || !text || blocked) return
    underWay.current = true
    send.mutate(text)
  }
  const take = ({ word }: Mention) => {
    if (!mention) return
    const done = complete(content, caret, mention.start, word)
    caretAfter.current = done.caret
    setCaret(done.caret)
    setChosen(0)
    setContent(done.text)
  }
  /** Keys that belong to the list while it stands; answers whether this was one. */
  const steer = ({ key }: KeyboardEvent): boolean => {
    if (!mention) return false
    const count = mention.matches.length
    if (key === 'ArrowDown') setChosen((index + 1) % count)
    else if (key === 'ArrowUp') setChosen((index + count - 1) % count)
    else if (key === 'Enter' || key === 'Tab') take(mention.matches[index]!)
    else if (key === 'Escape') setDismissedAt(mention.start)
    else return false
    return true
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (!event.shiftKey && !event.nativeEvent.isComposing && steer(event)) return event.preventDefault()
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }
  const error = send.error ?? stop.error

  return (
    <form
      className="shrink-0 px-3 pb-3"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      {error !== null && (
        <p role="alert" className="mb-2 rounded-sm border border-bad/40 bg-bad/10 px-3 py-2 text-sm text-bad">
          {isProblem(error, 'no_model') ? `No model is set up: ${messageOf(error)}` : messageOf(error)}
        </p>
      )}
      <NoModel wanted={wantedModel} />
      <div className="relative rounded-lg border border-line-strong bg-surface-2 transition-colors duration-[120ms] focus-within:border-accent">
        {mention && (
          <MentionList id={`${id}-crew`} matches={mention.matches} chosen={index} onChoose={setChosen} onTake={take} />
        )}
        <label htmlFor={id} className="sr-only">
          Message to the crew
        </label>
        <textarea
          ref={field}
          id={id}
          rows={1}
          value={content}
          disabled={blocked !== null}
          onChange={(event) => {
            setDismissedAt(null)
            setCaret(event.target.selectionStart)
            setContent(event.target.value)
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
          onBlur={() => setCaret(0)}
          onKeyDown={onKeyDown}
          placeholder={blocked ?? 'Ask the crew, or @engineer something'}
          aria-autocomplete="list"
          aria-controls={mention ? `${id}-crew` : undefined}
          aria-activedescendant={mention ? optionId(`${id}-crew`, index) : undefined}
          className="block field-sizing-content max-h-48 min-h-10 w-full resize-none bg-transparent px-3 pt-2.5 text-[14px] outline-none focus-visible:outline-none"
        />
        <div className="flex items-center gap-2 p-2">
          <ModelChip wanted={wantedModel} />
          <div className="ml-auto flex items-center gap-2">
            {isWorking && (
              <button
                type="button"
                onClick={() => stop.mutate()}
                disabled={stop.isPending}
                className="inline-flex h-7 items-center gap-1.5 rounded-full border border-line-strong px-2.5 text-xs text-fg-2 hover:border-bad hover:text-bad disabled:opacity-60 max-md:h-11"
              >
                <Square aria-hidden className="size-3 fill-current" /> Stop
              </button>
            )}
            <Tooltip text="Send · Enter; new line · Shift Enter" side="top">
              <button
                type="submit"
                aria-label="Send"
                disabled={!content.trim() || blocked !== null || send.isPending}
                className="grid size-8 place-items-center rounded-full bg-accent text-accent-ink transition-[filter] duration-[120ms] hover:brightness-108 disabled:cursor-not-allowed disabled:bg-surface-3 disabled:text-fg-3 max-md:size-11"
              >
                {send.isPending ? <Spinner /> : <ArrowUp className="size-4" />}
              </button>
            </Tooltip>
          </div>
        </div>
      </div>
    </form>
  )
}

/** Without a model nobody can answer: what is missing, and one thing to do. */
function NoModel({ wanted }: { wanted: string | null }) {
  const models = useQuery(modelList())
  if (!models.data || modelInUse(models.data, wanted)) return null
  return (
    <div className="mb-2 flex items-center gap-3 rounded-sm border border-warn/40 bg-warn/10 px-3 py-2 text-sm">
      <p className="min-w-0 flex-1">
        Nobody can answer yet: set <code className="font-mono text-xs">ANTHROPIC_API_KEY</code> where Guildhall runs and
        start it again.
      </p>
      <Button size="s" busy={models.isFetching} onClick={() => void models.refetch()}>
        Look again
      </Button>
    </div>
  )
}

function ModelChip({ wanted }: { wanted: string | null }) {
  const models = useQuery(modelList())
  if (!models.data) return null
  const model = modelInUse(models.data, wanted)
  if (!model) {
    return (
      <span className={cn(pill, 'border-warn/50 text-warn')}>
        <Sparkles aria-hidden /> No model is set up
      </span>
    )
  }
  return (
    <span
      className={cn(pill, model.scripted && 'border-warn/50 text-warn')}
      title={model.scripted ? undefined : model.id}
    >
      <Sparkles aria-hidden /> <span className="truncate">{modelName(model)}</span>
    </span>
  )
}
