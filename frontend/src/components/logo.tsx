import { cn } from '../lib/cn.ts'

/** The hall: a roof, three arches. */
export const Logo = ({ className }: { className?: string }) => (
  <svg
    viewBox="0 0 24 24"
    aria-hidden
    fill="none"
    stroke="currentColor"
    strokeWidth="1.7"
    strokeLinecap="round"
    strokeLinejoin="round"
    className={cn('size-6 text-accent', className)}
  >
    <path d="M3 10.5 12 3l9 7.5V21M3 10.5V21M7.5 21v-7.5a4.5 4.5 0 0 1 9 0V21M10.75 21v-7a1.25 1.25 0 0 1 2.5 0v7" />
  </svg>
)
