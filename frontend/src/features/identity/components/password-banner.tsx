import { KeyRound } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { useSession } from '../api.ts'
import { PasswordDialog } from './password-dialog.tsx'

/** Stands on every page until the account has a password: until then only links let its owner in. */
export function PasswordBanner() {
  const needsOne = useSession(({ user }) => user?.hasPassword === false)
  const [isOpen, setOpen] = useState(false)
  if (!needsOne) return null
  return (
    <aside
      aria-label="Set a password"
      className="hairline-b flex flex-wrap items-center justify-center gap-x-3 gap-y-1 bg-accent-soft px-4 py-1.5 text-sm"
    >
      <KeyRound aria-hidden className="size-4 text-accent" />
      <span>This account has no password yet; you came in by a single-use link.</span>
      <Button size="s" onClick={() => setOpen(true)}>
        Set a password
      </Button>
      <PasswordDialog open={isOpen} onOpenChange={setOpen} />
    </aside>
  )
}
