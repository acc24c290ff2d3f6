import { WifiOff } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { socket, useSocketStatus } from '../../realtime/api.ts'

/** A cut this short is nobody's business. */
const PATIENCE_MS = 1_500

/** Says that nothing new arrives, while that is so. */
export function OfflineNote() {
  const isOpen = useSocketStatus() === 'open'
  const [isLong, setLong] = useState(false)
  useEffect(() => {
    if (isOpen) return
    const timer = setTimeout(() => setLong(true), PATIENCE_MS)
    return () => {
      clearTimeout(timer)
      setLong(false)
    }
  }, [isOpen])
  if (isOpen || !isLong) return null
  return (
    <div
      role="status"
      className="mx-3 mb-2 flex items-center gap-2.5 rounded-sm border border-warn/40 bg-warn/10 px-3 py-2 text-sm"
    >
      <WifiOff aria-hidden className="size-4 shrink-0 text-warn" />
      <p className="min-w-0 flex-1">
        No connection: nothing new arrives. What the crew does goes on without this page.
      </p>
      <Button size="s" onClick={() => socket.nudge()}>
        Try now
      </Button>
    </div>
  )
}
