import { Slot } from 'radix-ui'
import type { ComponentProps } from 'react'
import { cn } from '../../lib/cn.ts'
import { Spinner } from './spinner.tsx'

const looks = {
  primary: 'bg-accent text-accent-ink font-semibold hover:brightness-108 active:brightness-95',
  outline: 'border border-line-strong bg-surface-2 text-fg font-medium hover:bg-surface-3',
  ghost: 'text-fg-2 hover:bg-surface-3 hover:text-fg',
  danger: 'border border-bad/50 text-bad font-medium hover:bg-bad/10',
}
const sizes = {
  s: 'touch-target h-7 gap-1.5 px-2.5 text-xs rounded-sm',
  m: 'h-8 gap-2 px-3 text-sm rounded-sm max-md:h-11',
  l: 'h-9 gap-2 px-4 text-md rounded-md max-md:h-11',
}

type ButtonProps = ComponentProps<'button'> & {
  look?: keyof typeof looks
  size?: keyof typeof sizes
  asChild?: boolean
  /** Shows that it is at work and cannot be pressed again. */
  busy?: boolean
}

export function Button({ look = 'outline', size = 'm', asChild, busy, className, children, ...rest }: ButtonProps) {
  const classes = cn(
    'inline-flex shrink-0 items-center justify-center whitespace-nowrap transition-[background,filter,color] duration-[120ms]',
    'disabled:cursor-not-allowed disabled:opacity-55',
    looks[look],
    sizes[size],
    className,
  )
  if (asChild) {
    return (
      <Slot.Root className={classes} {...rest}>
        {children}
      </Slot.Root>
    )
  }
  return (
    <button type="button" className={classes} {...rest} disabled={rest.disabled || busy} aria-busy={busy || undefined}>
      {busy && <Spinner />}
      {children}
    </button>
  )
}
