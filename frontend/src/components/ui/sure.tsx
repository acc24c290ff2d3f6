import { type ReactNode, useState } from 'react'
import { Button } from './button.tsx'

interface SureProps {
  /** What the first press says, and what the second does. */
  label: string
  confirm: string
  question?: ReactNode
  busy?: boolean
  disabled?: boolean
  onSure(): void
}

/** Something that cannot be taken back with one press: it asks once more, in its own place. */
export function Sure({ label, confirm, question, busy, disabled, onSure }: SureProps) {
  const [isAsking, setAsking] = useState(false)
  if (!isAsking) {
    return (
      <Button size="s" look="danger" disabled={disabled} busy={busy} onClick={() => setAsking(true)}>
        {label}
      </Button>
    )
  }
  return (
    <span role="group" aria-label={label} className="flex flex-wrap items-center gap-1.5">
      {question && <span className="text-xs text-fg-2">{question}</span>}
      <Button
        size="s"
        look="danger"
        autoFocus
        busy={busy}
        onClick={() => {
          setAsking(false)
          onSure()
        }}
      >
        {confirm}
      </Button>
      <Button size="s" look="ghost" onClick={() => setAsking(false)}>
        Keep
      </Button>
    </span>
  )
}
