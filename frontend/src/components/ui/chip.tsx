import type { ComponentProps, CSSProperties } from 'react'
import { cn } from '../../lib/cn.ts'

const tones = {
  neutral: undefined,
  accent: 'var(--accent)',
  ok: 'var(--ok)',
  warn: 'var(--warn)',
  bad: 'var(--bad)',
  info: 'var(--info)',
} as const
export type Tone = keyof typeof tones

type ChipProps = ComponentProps<'span'> & {
  tone?: Tone
  /** A colour of its own, such as a role's; wins over `tone`. */
  colour?: string
}

/** A status word: small, tinted, never clickable. */
export function Chip({ tone = 'neutral', colour, className, style, ...rest }: ChipProps) {
  const toneColour = colour ?? tones[tone]
  return (
    <span
      className={cn(
        'inline-flex h-5 shrink-0 items-center gap-1 rounded-full px-2 text-2xs font-medium whitespace-nowrap',
        toneColour ? 'toned' : 'bg-surface-3 text-fg-2',
        className,
      )}
      style={toneColour ? ({ '--tone': toneColour, ...style } as CSSProperties) : style}
      {...rest}
    />
  )
}

/** An outlined pill: a fact with an icon, or (as a button) evidence one click away. */
export const pill =
  'inline-flex h-7 min-w-0 items-center gap-1.5 rounded-full border border-line bg-surface-1 px-2.5 text-xs text-fg-2 [&>svg]:size-3.5 [&>svg]:shrink-0'
export const pillButton = cn(
  pill,
  'transition-colors duration-[120ms] hover:border-line-strong hover:text-fg touch-target',
)
