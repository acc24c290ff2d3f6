import { useEffect, useRef } from 'react'
import { cn } from '../lib/cn.ts'
import type { Token, TokenKind } from '../lib/highlight.ts'

const colours: Record<TokenKind, string | undefined> = {
  plain: undefined,
  comment: 'text-fg-3 italic',
  string: 'text-(--analyst)',
  number: 'text-(--product)',
  keyword: 'text-(--architect)',
  type: 'text-(--engineer)',
  call: 'text-(--platform)',
  tag: 'text-(--engineer)',
}

interface CodeLinesProps {
  lines: readonly Token[][]
  /** A line to show, from 1: it is marked and brought into sight. */
  marked?: number | null
  className?: string
}

/** Source with line numbers. The numbers are not part of what gets selected. */
export function CodeLines({ lines, marked = null, className }: CodeLinesProps) {
  const box = useRef<HTMLPreElement>(null)
  useEffect(() => {
    if (marked !== null) box.current?.children[marked - 1]?.scrollIntoView({ block: 'center' })
  }, [marked, lines])
  return (
    <pre ref={box} className={cn('min-w-max py-2 font-mono text-[12.8px] leading-5', className)}>
      {lines.map((line, index) => (
        <div
          key={index}
          aria-current={index + 1 === marked ? 'location' : undefined}
          className={cn('flex', index + 1 === marked && 'bg-accent-soft shadow-[inset_2px_0_0_var(--accent)]')}
        >
          <span aria-hidden className="w-12 shrink-0 pr-3 text-right text-fg-3 select-none tabular">
            {index + 1}
          </span>
          <code className="pr-6">
            {line.map((token, at) => (
              <span key={at} className={colours[token.kind]}>
                {token.text}
              </span>
            ))}
            {line.length === 0 && '\n'}
          </code>
        </div>
      ))}
    </pre>
  )
}

/** Output of a command: wraps, scrolls, keeps its spaces. */
export const Output = ({ text, className }: { text: string; className?: string }) => (
  <pre
    tabIndex={0}
    className={cn(
      'focus-inset max-h-80 overflow-auto rounded-sm border border-line bg-bg p-2.5 font-mono text-xs leading-[18px] break-words whitespace-pre-wrap text-fg-2',
      className,
    )}
  >
    {text}
  </pre>
)
