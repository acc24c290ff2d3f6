import { type ReactNode, Suspense } from 'react'
import { createBrowserRouter, Navigate, Outlet, useLocation, useSearchParams } from 'react-router'
import { Logo } from '../components/logo.tsx'
import { Notice } from '../components/notice.tsx'
import { Button } from '../components/ui/button.tsx'
import { restoreSession, useSession } from '../features/identity/api.ts'
import { LinkDoor } from '../features/identity/components/link-door.tsx'
import { PasswordBanner } from '../features/identity/components/password-banner.tsx'
import { Register } from '../features/identity/components/register.tsx'
import { SignIn } from '../features/identity/components/sign-in.tsx'
import { UserMenu } from '../features/identity/components/user-menu.tsx'
import { ProjectsPage } from '../features/projects/components/projects-page.tsx'
import { messageOf } from '../lib/request.ts'
import { ErrorPage, NotFound } from './error-page.tsx'
import { HouseBanner } from './house-banner.tsx'

const Opening = () => (
  <div role="status" aria-label="Loading" className="grid min-h-dvh place-items-center">
    <Logo className="size-9 animate-breathe" />
  </div>
)

/** Lets in who is signed in; a stranger comes back to the asked page after the door. */
function Inside() {
  const session = useSession()
  const { pathname, search } = useLocation()
  if (session.status === 'in') {
    return (
      <Suspense fallback={<Opening />}>
        <Outlet />
      </Suspense>
    )
  }
  if (session.status === 'out') {
    const next = pathname === '/' ? '' : `?next=${encodeURIComponent(pathname + search)}`
    return <Navigate to={`/sign-in${next}`} replace />
  }
  if (!session.error) return <Opening />
  return (
    <main id="main" className="min-h-dvh">
      <Notice
        tone="bad"
        title="Guildhall cannot be reached"
        className="min-h-dvh"
        action={<Button onClick={() => void restoreSession()}>Try again</Button>}
      >
        {messageOf(session.error)}
      </Notice>
    </main>
  )
}

/** Only a path of this page: never an address that leads elsewhere. */
const pathOf = (next: string | null): string => (next && /^\/(?![/\\])/.test(next) ? next : '/')

function Outside({ children }: { children: ReactNode }) {
  const status = useSession((session) => session.status)
  const [search] = useSearchParams()
  if (status === 'in') return <Navigate to={pathOf(search.get('next'))} replace />
  return children
}

const banners = (
  <>
    <PasswordBanner />
    <HouseBanner />
  </>
)

export const createAppRouter = () =>
  createBrowserRouter([
    {
      ErrorBoundary: ErrorPage,
      HydrateFallback: Opening,
      children: [
        {
          path: '/sign-in',
          element: (
            <Outside>
              <SignIn />
            </Outside>
          ),
        },
        {
          path: '/register',
          element: (
            <Outside>
              <Register />
            </Outside>
          ),
        },
        { path: '/link', element: <LinkDoor /> },
        {
          element: <Inside />,
          children: [
            { path: '/', element: <ProjectsPage account={<UserMenu />} banner={banners} /> },
            {
              path: '/projects/:projectId',
              lazy: async () => ({ Component: (await import('./workbench/workbench.tsx')).Workbench }),
            },
          ],
        },
        { path: '*', element: <NotFound /> },
      ],
    },
  ])
