import type { CSSProperties } from 'react'
import { cn } from '../lib/cn.ts'

export type FaceState = 'idle' | 'working' | 'waiting' | 'stuck'

interface FaceProps {
  initials: string
  colour: string
  state?: FaceState
  size?: number
  className?: string
}

/**
 * Initials in a ring. A turning arc means working, a still ring idle, a dashed ring waiting, a red ring stuck. The
 * word for it stands beside the face, so the drawing itself is silent to screen readers.
 */
export function Face({ initials, colour, state = 'idle', size = 28, className }: FaceProps) {
  const ring = state === 'stuck' ? 'var(--bad)' : colour
  return (
    <span
      aria-hidden
      className={cn('relative inline-grid shrink-0 place-items-center', className)}
      style={{ '--tone': colour, width: size, height: size } as CSSProperties}
    >
      <svg viewBox="0 0 32 32" className="absolute inset-0 size-full">
        <circle cx="16" cy="16" r="12.4" fill="color-mix(in srgb, var(--tone) 22%, transparent)" />
        <circle
          cx="16"
          cy="16"
          r={state === 'working' ? 12.4 : 13}
          fill="none"
          stroke={ring}
          strokeOpacity={state === 'idle' ? 0.7 : state === 'working' ? 0.45 : 1}
          strokeWidth={state === 'stuck' ? 2 : 1.3}
          strokeDasharray={state === 'waiting' ? '3.2 3' : undefined}
        />
      </svg>
      {state === 'working' && (
        <svg viewBox="0 0 32 32" className="absolute inset-0 size-full animate-arc">
          <circle
            cx="16"
            cy="16"
            r="14.8"
            fill="none"
            stroke={colour}
            strokeWidth="2.2"
            strokeLinecap="round"
            strokeDasharray="38 100"
          />
        </svg>
      )}
      <span
        className="relative leading-none font-semibold tracking-tight text-(--tone)"
        style={{ fontSize: Math.max(8, Math.round(size * 0.335)) }}
      >
        {initials}
      </span>
    </span>
  )
}
