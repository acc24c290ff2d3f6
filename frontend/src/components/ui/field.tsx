import { type ComponentProps, type ReactNode, useId } from 'react'
import { cn } from '../../lib/cn.ts'

export const inputLook =
  'w-full rounded-sm border border-line-strong bg-surface-2 px-3 text-md text-fg transition-colors duration-[120ms] hover:border-fg-3 focus-visible:outline-offset-0'

interface FrameProps {
  label: string
  hint?: string | undefined
  error?: string | undefined
  className?: string | undefined
}

/** A label above, what the server says about it (or a hint) beneath. */
function Frame({ id, label, hint, error, className, children }: FrameProps & { id: string; children: ReactNode }) {
  const note = error ?? hint
  return (
    <div className={cn('grid gap-1.5', className)}>
      <label htmlFor={id} className="text-sm font-medium text-fg-2">
        {label}
      </label>
      {children}
      {note && (
        <p id={`${id}-note`} className={cn('text-xs', error ? 'text-bad' : 'text-fg-3')}>
          {note}
        </p>
      )}
    </div>
  )
}

const described = (id: string, { hint, error }: FrameProps) => ({
  id,
  'aria-invalid': error ? true : undefined,
  'aria-describedby': (error ?? hint) ? `${id}-note` : undefined,
})

type FieldProps = Omit<ComponentProps<'input'>, 'className'> & FrameProps

/** A labelled line of input. */
export function Field({ label, hint, error, className, ...rest }: FieldProps) {
  const id = useId()
  const frame = { label, hint, error, className }
  return (
    <Frame id={id} {...frame}>
      <input
        {...described(id, frame)}
        className={cn(inputLook, 'h-10 disabled:opacity-60', error && 'border-bad')}
        {...rest}
      />
    </Frame>
  )
}

type TextFieldProps = Omit<ComponentProps<'textarea'>, 'className'> & FrameProps

/** A labelled text of several lines; it grows with what is in it. */
export function TextField({ label, hint, error, className, ...rest }: TextFieldProps) {
  const id = useId()
  const frame = { label, hint, error, className }
  return (
    <Frame id={id} {...frame}>
      <textarea
        {...described(id, frame)}
        className={cn(
          inputLook,
          'field-sizing-content max-h-60 min-h-20 resize-y py-2 disabled:opacity-60',
          error && 'border-bad',
        )}
        {...rest}
      />
    </Frame>
  )
}

type SelectFieldProps = Omit<ComponentProps<'select'>, 'className'> & FrameProps

/** A labelled choice out of a list. */
export function SelectField({ label, hint, error, className, ...rest }: SelectFieldProps) {
  const id = useId()
  const frame = { label, hint, error, className }
  return (
    <Frame id={id} {...frame}>
      <select
        {...described(id, frame)}
        className={cn(inputLook, 'h-10 disabled:opacity-60', error && 'border-bad')}
        {...rest}
      />
    </Frame>
  )
}
