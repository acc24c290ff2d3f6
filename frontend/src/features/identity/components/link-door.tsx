import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, Navigate } from 'react-router'
import { Button } from '../../../components/ui/button.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { messageOf } from '../../../lib/request.ts'
import { signInByLink } from '../api.ts'
import { Entrance } from './entrance.tsx'

/** The token is in the fragment, so it never reaches a log, and it is taken out of the address at once. */
function takeToken(): string {
  const token = decodeURIComponent(location.hash.replace(/^#(token=)?/, ''))
  if (token) history.replaceState(history.state, '', location.pathname)
  return token
}

export function LinkDoor() {
  const [token] = useState(takeToken)
  const attempt = useQuery({
    queryKey: ['identity', 'link', token],
    queryFn: () => signInByLink(token),
    enabled: token !== '',
    retry: false,
    staleTime: Infinity,
    gcTime: 0,
  })
  if (attempt.isSuccess) return <Navigate to="/" replace />
  if (token === '' || attempt.isError) {
    return (
      <Entrance
        title="This link has done its work"
        intro={token === '' ? 'The address holds no sign-in token.' : messageOf(attempt.error)}
      >
        <p className="mb-4 text-center text-sm text-fg-2">
          <code className="font-mono text-xs">make link</code> on the machine prints a fresh one; each works once, for a
          quarter of an hour.
        </p>
        <Button asChild className="w-full" size="l">
          <Link to="/sign-in">Sign in with a password</Link>
        </Button>
      </Entrance>
    )
  }
  return (
    <Entrance title="Opening the door">
      <p role="status" className="flex items-center justify-center gap-2 text-fg-2">
        <Spinner /> Signing you in…
      </p>
    </Entrance>
  )
}
