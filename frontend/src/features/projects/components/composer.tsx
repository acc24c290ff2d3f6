import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ArrowRight, Sparkles } from 'lucide-react'
import { type KeyboardEvent, useId, useRef, useState } from 'react'
import { useNavigate } from 'react-router'
import { Button } from '../../../components/ui/button.tsx'
import { pill, pillButton } from '../../../components/ui/chip.tsx'
import { Tooltip } from '../../../components/ui/tooltip.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { modelInUse, modelList, modelName } from '../../llm/api.ts'
import { projectKeys, projectTemplates, startProject } from '../api.ts'

export function Composer() {
  const id = useId()
  const [wish, setWish] = useState('')
  const [chosen, setChosen] = useState<string | null>(null)
  const templates = useQuery(projectTemplates())
  const navigate = useNavigate()
  const client = useQueryClient()
  const underWay = useRef(false)
  const start = useMutation({
    mutationFn: startProject,
    onSuccess: (projectId) => navigate(`/projects/${projectId}`),
    onSettled: () => {
      underWay.current = false
      return client.invalidateQueries({ queryKey: projectKeys.lists })
    },
  })
  const templateSlug = chosen ?? templates.data?.[0]?.slug ?? 'react-vite'

  const submit = () => {
    if (underWay.current || !wish.trim()) return
    underWay.current = true
    start.mutate({ wish, templateSlug })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    submit()
  }

  return (
    <section className="mx-auto w-full max-w-[864px]">
      <h1 className="text-center font-display text-[clamp(30px,5vw,40px)] leading-tight font-semibold tracking-[-0.01em]">
        <label htmlFor={id}>What shall the crew build?</label>
      </h1>
      <p className="mt-2 text-center text-[15px] text-fg-2">
        Describe it. You approve the plan before anyone writes code.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
        className="mt-6 rounded-lg border border-line-strong bg-surface-1 shadow-lift transition-colors duration-[120ms] focus-within:border-accent"
      >
        <textarea
          id={id}
          value={wish}
          onChange={(event) => setWish(event.target.value)}
          onKeyDown={onKeyDown}
          rows={2}
          autoFocus
          placeholder="A booking page for a climbing gym, with a weekly timetable and a waiting list…"
          className="block field-sizing-content max-h-72 min-h-16 w-full resize-none bg-transparent px-4 pt-4 text-[15px] outline-none focus-visible:outline-none"
        />
        <div className="flex items-center gap-2 p-3 pl-4">
          <ModelPill />
          <Button
            type="submit"
            look="primary"
            size="l"
            className="ml-auto"
            disabled={!wish.trim()}
            busy={start.isPending}
          >
            Start <ArrowRight className="size-4" />
          </Button>
        </div>
      </form>
      {start.isError && (
        <p role="alert" className="mt-3 text-center text-sm text-bad">
          {messageOf(start.error)}
        </p>
      )}
      <div role="radiogroup" aria-label="Begin with" className="mt-4 flex min-h-7 flex-wrap justify-center gap-2">
        {templates.data?.map((template) => (
          <Tooltip key={template.slug} text={template.description}>
            <button
              type="button"
              role="radio"
              aria-checked={template.slug === templateSlug}
              onClick={() => setChosen(template.slug)}
              className={cn(pillButton, 'aria-checked:border-accent aria-checked:bg-accent-soft aria-checked:text-fg')}
            >
              {template.name}
            </button>
          </Tooltip>
        ))}
      </div>
    </section>
  )
}

function ModelPill() {
  const models = useQuery(modelList())
  if (!models.data) return null
  const model = modelInUse(models.data, null)
  return (
    <span className={cn(pill, (!model || model.scripted) && 'border-warn/50 text-warn')}>
      <Sparkles aria-hidden />
      {model ? modelName(model) : 'No model is set up'}
    </span>
  )
}
