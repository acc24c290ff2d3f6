import { cn } from '../../lib/cn.ts'

/** Holds the place of what is on its way, so that nothing jumps when it comes. */
export const Skeleton = ({ className }: { className?: string }) => (
  <div aria-hidden className={cn('animate-breathe rounded-sm bg-surface-3', className)} />
)
