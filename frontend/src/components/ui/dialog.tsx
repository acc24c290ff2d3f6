import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { cn } from '../../lib/cn.ts'
import { IconButton } from './icon-button.tsx'

interface DialogProps {
  open: boolean
  onOpenChange(open: boolean): void
  title: ReactNode
  description?: ReactNode
  children: ReactNode
  className?: string
}

export function Dialog({ open, onOpenChange, title, description, children, className }: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 animate-fade bg-black/50" />
        <Radix.Content
          className={cn(
            'fixed top-1/2 left-1/2 z-50 flex max-h-[86dvh] w-[min(480px,calc(100vw-24px))] -translate-1/2 animate-fade flex-col overflow-hidden rounded-lg border border-line-strong bg-surface-1 shadow-lift',
            className,
          )}
          {...(description === undefined && { 'aria-describedby': undefined })}
        >
          <header className="py-4 pr-14 pl-5">
            <Radix.Title className="text-lg leading-snug font-semibold">{title}</Radix.Title>
            {description !== undefined && (
              <Radix.Description className="mt-1 text-sm text-fg-2">{description}</Radix.Description>
            )}
          </header>
          <div className="min-h-0 flex-1 overflow-auto px-5 pb-5">{children}</div>
          {/* Last, so that the first field or text has the focus when the dialog opens. */}
          <Radix.Close asChild>
            <IconButton label="Close" className="absolute! top-3 right-3">
              <X />
            </IconButton>
          </Radix.Close>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
