import { Readiness } from '@guildhall/protocol/health.ts'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { BrickWall, Container, Sparkles } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from '../components/ui/button.tsx'

const AGAIN_MS = 30_000

const readiness = () =>
  queryOptions({
    queryKey: ['readiness'],
    // Red or green, the answer is the same list; it is public, so nothing of the session goes with it.
    queryFn: async ({ signal }) => Readiness.parse(await (await fetch('/api/health/ready', { signal })).json()),
    staleTime: AGAIN_MS,
    // What is missing may come at any time; what is there is asked for when the page is opened.
    refetchInterval: ({ state }) => (state.data?.parts.some(isMissed) ? AGAIN_MS : false),
  })

/** Parts that the product can run without and a person would miss. */
const words: Record<string, { icon: ReactNode; title: string; rest: string }> = {
  'container engine': {
    icon: <Container aria-hidden />,
    title: 'There is no container engine',
    rest: 'Projects can be made, read and talked about; nothing runs in them until there is one.',
  },
  'sandbox walls': {
    icon: <BrickWall aria-hidden />,
    title: 'A wall of the sandbox does not stand on this engine, so no sandbox starts',
    rest: 'Mend it and start Guildhall again.',
  },
  models: {
    icon: <Sparkles aria-hidden />,
    title: 'No model is set up',
    rest: 'Set ANTHROPIC_API_KEY where Guildhall runs and start it again; until then nobody in the crew can answer.',
  },
}

/** Walls are `off` until the first sandbox is wanted: nothing is missing then. */
const isMissed = ({ name, status }: Readiness['parts'][number]) =>
  name in words && (name === 'sandbox walls' ? status === 'failing' : status !== 'ok')

/** First things first: what this installation lacks, and the one thing to do about it. */
export function HouseBanner({ without = [] }: { without?: string[] }) {
  const query = useQuery(readiness())
  const missed = query.data?.parts.filter((part) => isMissed(part) && !without.includes(part.name)) ?? []
  if (missed.length === 0) return null
  return (
    <aside aria-label="What is missing here" className="hairline-b bg-accent-soft px-4 py-2 text-sm">
      <div className="mx-auto flex max-w-[1264px] flex-wrap items-center gap-x-4 gap-y-2">
        <ul className="grid min-w-0 flex-1 basis-72 gap-1.5">
          {missed.map(({ name, detail }) => (
            <li key={name} className="flex gap-2.5 [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0 [&>svg]:text-accent">
              {words[name]!.icon}
              <p className="min-w-0 wrap-anywhere">
                <span className="font-medium">{words[name]!.title}.</span>{' '}
                {name === 'models' ? words[name]!.rest : `${sentence(detail)} ${words[name]!.rest}`}
              </p>
            </li>
          ))}
        </ul>
        <Button size="s" busy={query.isFetching} onClick={() => void query.refetch()}>
          Look again
        </Button>
      </div>
    </aside>
  )
}

const sentence = (text: string) => {
  const plain = text.trim()
  return plain && plain[0]!.toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? '' : '.')
}
