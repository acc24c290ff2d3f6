import { QueryClientProvider } from '@tanstack/react-query'
import { useState } from 'react'
import { RouterProvider } from 'react-router'
import { TooltipProvider } from '../components/ui/tooltip.tsx'
import { restoreSession, useSession } from '../features/identity/api.ts'
import { socket } from '../features/realtime/api.ts'
import { followUser } from './events.ts'
import { createQueryClient } from './query-client.ts'
import { createAppRouter } from './router.tsx'

const client = createQueryClient()

/** The socket lives as long as the session; leaving takes everything read along with it. */
let stopFollowing: (() => void) | undefined
useSession.subscribe((session, before) => {
  if (session.user?.id === before.user?.id) return
  stopFollowing?.()
  stopFollowing = undefined
  if (session.user) {
    stopFollowing = followUser(client, socket, session.user.id, () => void restoreSession())
    socket.start()
  } else {
    socket.stop()
    client.clear()
  }
})
window.addEventListener('online', () => socket.nudge())
void restoreSession()

export function App() {
  const [router] = useState(createAppRouter)
  return (
    <QueryClientProvider client={client}>
      <TooltipProvider>
        <a
          href="#main"
          className="fixed top-2 left-2 z-50 -translate-y-16 rounded-sm bg-accent px-3 py-2 text-accent-ink focus:translate-y-0"
        >
          Skip to the content
        </a>
        <RouterProvider router={router} />
      </TooltipProvider>
    </QueryClientProvider>
  )
}
