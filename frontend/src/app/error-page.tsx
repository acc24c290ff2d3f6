import { Compass, TriangleAlert } from 'lucide-react'
import { Link, useRouteError } from 'react-router'
import { Notice } from '../components/notice.tsx'
import { Button } from '../components/ui/button.tsx'
import { messageOf } from '../lib/request.ts'

export function ErrorPage() {
  const error = useRouteError()
  return (
    <main id="main">
      <Notice
        icon={TriangleAlert}
        tone="bad"
        title="This page has broken"
        className="min-h-dvh"
        action={<Button onClick={() => location.reload()}>Reload</Button>}
      >
        {messageOf(error)}
      </Notice>
    </main>
  )
}

export const NotFound = () => (
  <main id="main">
    <Notice
      icon={Compass}
      title="There is no such page"
      className="min-h-dvh"
      action={
        <Button asChild>
          <Link to="/">To your projects</Link>
        </Button>
      }
    />
  </main>
)
