import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { cn } from '../lib/cn.ts'

interface NoticeProps {
  icon?: LucideIcon
  title: ReactNode
  children?: ReactNode
  /** The one thing to do about it. */
  action?: ReactNode
  tone?: 'plain' | 'bad'
  className?: string
}

/** An empty, missing or failed state: one sentence, one action. */
export function Notice({ icon: Icon, title, children, action, tone = 'plain', className }: NoticeProps) {
  return (
    <div
      role={tone === 'bad' ? 'alert' : undefined}
      className={cn('grid h-full place-content-center justify-items-center gap-2 p-6 text-center', className)}
    >
      {Icon && (
        <Icon aria-hidden strokeWidth={1.5} className={cn('size-7', tone === 'bad' ? 'text-bad' : 'text-fg-3')} />
      )}
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-[46ch] text-sm text-balance text-fg-2">{children}</div>}
      {action && <div className="mt-2 flex gap-2">{action}</div>}
    </div>
  )
}
