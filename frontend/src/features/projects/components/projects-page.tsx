import { useQuery } from '@tanstack/react-query'
import { Hammer, Search, SearchX, TriangleAlert } from 'lucide-react'
import { type ReactNode, useDeferredValue, useState } from 'react'
import { NavLink } from 'react-router'
import { Logo } from '../../../components/logo.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { inputLook } from '../../../components/ui/field.tsx'
import { Select } from '../../../components/ui/select.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { projectList, type ProjectStatusFilter } from '../api.ts'
import { Composer } from './composer.tsx'
import { ProjectCard } from './project-card.tsx'

/** `account` is the user menu; `banner` what every page shows on top. */
export function ProjectsPage({ account, banner }: { account: ReactNode; banner: ReactNode }) {
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="hairline-b flex h-14 shrink-0 items-center gap-2.5 bg-surface-1 px-4 md:px-7">
        <Logo />
        <span className="font-display text-lg font-semibold">Guildhall</span>
        <nav aria-label="Main" className="ml-6 flex gap-5 text-sm">
          <NavLink to="/" className={({ isActive }) => cn('py-2', isActive ? 'font-semibold text-fg' : 'text-fg-2')}>
            Projects
          </NavLink>
        </nav>
        <div className="ml-auto">{account}</div>
      </header>
      {banner}
      <main id="main" className="flex-1 px-4 pt-10 pb-16 md:pt-14">
        <Composer />
        <Projects />
      </main>
    </div>
  )
}

function Projects() {
  const [typed, setTyped] = useState('')
  const [status, setStatus] = useState<ProjectStatusFilter>('active')
  const q = useDeferredValue(typed.trim())
  const list = useQuery(projectList(q, status))
  const cards = list.data?.items ?? []
  const atWork = cards.filter((card) => card.agentsAtWork > 0).length
  return (
    <section aria-labelledby="your-projects" className="mx-auto mt-12 w-full max-w-[1264px]">
      <div className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-3">
        <h2 id="your-projects" className="font-display text-[20px] font-semibold">
          Your projects
        </h2>
        <p className="text-fg-2 tabular" role="status">
          {list.data && `${cards.length}${list.data.nextCursor ? '+' : ''}${atWork > 0 ? ` · ${atWork} at work` : ''}`}
        </p>
        <div className="ml-auto flex gap-3 max-md:w-full">
          <div className="relative max-md:flex-1 md:w-[260px]">
            <Search
              aria-hidden
              className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-fg-3"
            />
            <input
              type="search"
              aria-label="Find a project"
              placeholder="Find a project"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
              className={cn(inputLook, 'h-8 pl-9 max-md:h-11')}
            />
          </div>
          <Select
            label="Which projects"
            value={status}
            onChange={(next) => setStatus(next as ProjectStatusFilter)}
            options={[
              { value: 'active', label: 'Active' },
              { value: 'archived', label: 'Archived' },
            ]}
          />
        </div>
      </div>
      {list.isPending ? (
        <Grid>
          {[0, 1, 2].map((key) => (
            <Skeleton key={key} className="h-[202px] rounded-lg" />
          ))}
        </Grid>
      ) : list.isError && !list.data ? (
        <Notice
          icon={TriangleAlert}
          tone="bad"
          title="Your projects could not be read"
          action={<Button onClick={() => void list.refetch()}>Try again</Button>}
        >
          {messageOf(list.error)}
        </Notice>
      ) : cards.length === 0 ? (
        q ? (
          <Notice
            icon={SearchX}
            title={`No project is called “${q}”`}
            action={<Button onClick={() => setTyped('')}>Clear the search</Button>}
          />
        ) : (
          <Notice icon={Hammer} title={status === 'archived' ? 'Nothing is archived' : 'Nothing built yet'}>
            {status === 'archived'
              ? 'Archived projects rest here, with everything they hold.'
              : 'Say above what you would like to have; the first plan is a minute away.'}
          </Notice>
        )
      ) : (
        <Grid>
          {cards.map((card) => (
            <ProjectCard key={card.project.id} card={card} />
          ))}
        </Grid>
      )}
    </section>
  )
}

const Grid = ({ children }: { children: ReactNode }) => (
  <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">{children}</div>
)
