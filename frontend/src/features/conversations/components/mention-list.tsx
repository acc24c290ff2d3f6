import { useEffect, useRef } from 'react'
import { Face } from '../../../components/face.tsx'
import { cn } from '../../../lib/cn.ts'
import { roleLook } from '../../../lib/roles.ts'
import type { Mention } from '../mention.ts'

interface MentionListProps {
  id: string
  matches: readonly Mention[]
  /** Index of the one that Enter takes. */
  chosen: number
  onChoose(index: number): void
  onTake(mention: Mention): void
}

export const optionId = (id: string, index: number) => `${id}-${index}`

/** Who can be named, above the line that is being typed. The keyboard stays in the text. */
export function MentionList({ id, matches, chosen, onChoose, onTake }: MentionListProps) {
  const box = useRef<HTMLUListElement>(null)
  useEffect(() => {
    // Braces: browsers answer a promise here, which React would take for the way to clean up.
    box.current?.children[chosen]?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  return (
    <div className="absolute inset-x-0 bottom-full z-20 mb-1.5 overflow-hidden rounded-md border border-line-strong bg-surface-2 shadow-lift">
      <ul ref={box} id={id} role="listbox" aria-label="Crew" className="max-h-60 overflow-auto p-1">
        {matches.map((mention, index) => {
          const look = roleLook(mention.role)
          return (
            <li
              key={mention.role}
              id={optionId(id, index)}
              role="option"
              aria-selected={index === chosen}
              // The text keeps the keyboard: a press here must not take it away.
              onMouseDown={(event) => event.preventDefault()}
              onMouseMove={() => onChoose(index)}
              onClick={() => onTake(mention)}
              className={cn(
                'flex min-h-9 cursor-pointer items-center gap-2.5 rounded-sm px-2 text-sm max-md:min-h-11',
                index === chosen && 'bg-surface-3',
              )}
            >
              <Face initials={look.initials} colour={look.colour} size={22} />
              <span className="font-medium">{mention.word}</span>
              <span className="min-w-0 truncate text-xs text-fg-2">{mention.does}</span>
            </li>
          )
        })}
      </ul>
      <p className="border-t border-line px-3 py-1.5 text-2xs text-fg-2">
        The manager plans the work for whom you name.
      </p>
    </div>
  )
}
