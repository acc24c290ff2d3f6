import type { ComponentProps } from 'react'
import { cn } from '../../lib/cn.ts'
import { Tooltip } from './tooltip.tsx'

type IconButtonProps = Omit<ComponentProps<'button'>, 'aria-label'> & {
  /** The name for those who hear, and the tooltip for those who see. */
  label: string
  side?: 'top' | 'right' | 'bottom' | 'left'
}

export function IconButton({ label, side, className, ...rest }: IconButtonProps) {
  return (
    <Tooltip text={label} side={side}>
      <button
        type="button"
        aria-label={label}
        className={cn(
          'inline-grid size-7 shrink-0 place-items-center rounded-sm text-fg-2 transition-colors duration-[120ms] hover:bg-surface-3 hover:text-fg',
          'disabled:cursor-not-allowed disabled:opacity-50 max-md:size-11 [&>svg]:size-4',
          className,
        )}
        {...rest}
      />
    </Tooltip>
  )
}
