import { type ComponentProps, useId } from 'react'
import { cn } from '../../lib/cn.ts'

export const inputLook =
  'w-full rounded-sm border border-line-strong bg-surface-2 px-3 text-md text-fg transition-colors duration-[120ms] hover:border-fg-3 focus-visible:outline-offset-0'

type FieldProps = ComponentProps<'input'> & { label: string; hint?: string; error?: string }

/** A labelled line of input; what the server says about it stands beneath. */
export function Field({ label, hint, error, className, ...rest }: FieldProps) {
  const id = useId()
  const note = error ?? hint
  return (
    <div className={cn('grid gap-1.5', className)}>
      <label htmlFor={id} className="text-sm font-medium text-fg-2">
        {label}
      </label>
      <input
        id={id}
        className={cn(inputLook, 'h-10', error && 'border-bad')}
        aria-invalid={error ? true : undefined}
        aria-describedby={note ? `${id}-note` : undefined}
        {...rest}
      />
      {note && (
        <p id={`${id}-note`} className={cn('text-xs', error ? 'text-bad' : 'text-fg-3')}>
          {note}
        </p>
      )}
    </div>
  )
}
