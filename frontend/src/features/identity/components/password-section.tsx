import type { User } from '@guildhall/protocol/identity.ts'
import { useQueryClient } from '@tanstack/react-query'
import { Check } from 'lucide-react'
import { useState } from 'react'
import { sessionKeys } from '../api.ts'
import { PasswordForm } from './password-dialog.tsx'

export function PasswordSection({ user }: { user: User }) {
  const client = useQueryClient()
  const [round, setRound] = useState(0)
  return (
    <div className="grid gap-4">
      <p className="text-sm text-fg-2">
        {user.hasPassword
          ? 'At least 10 characters. Your other devices are signed out when it changes.'
          : 'This account has none yet; until then only a sign-in link lets you in.'}
      </p>
      <PasswordForm
        key={round}
        hasPassword={user.hasPassword}
        onDone={() => {
          setRound(round + 1)
          void client.invalidateQueries({ queryKey: sessionKeys })
        }}
      />
      <p role="status" className="flex items-center gap-1.5 text-sm text-fg-2">
        {round > 0 && (
          <>
            <Check aria-hidden className="size-4 text-ok" /> The new password is set; other devices are signed out.
          </>
        )}
      </p>
    </div>
  )
}
