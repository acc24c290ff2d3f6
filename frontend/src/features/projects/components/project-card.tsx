import type { ProjectCard as Card } from '@guildhall/protocol/projects.ts'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Archive, ArchiveRestore, Ellipsis, GitBranch, SlidersHorizontal, Trash2, Users } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { Chip, type Tone } from '../../../components/ui/chip.tsx'
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from '../../../components/ui/menu.tsx'
import { useNow } from '../../../lib/clock.ts'
import { ago, dollars, plural } from '../../../lib/format.ts'
import { archiveProject, projectKeys, unarchiveProject } from '../api.ts'
import { cover } from '../cover.ts'
import { DeleteDialog } from './delete-dialog.tsx'
import { SettingsDialog, type SettingsSection } from './settings-dialog.tsx'

function stateOf({ project, agentsAtWork, waitsForYou, sandboxState }: Card): {
  word: string
  tone: Tone
  colour?: string
} {
  if (project.status === 'creating') return { word: 'being set up', tone: 'info' }
  if (project.status === 'error') return { word: 'set-up failed', tone: 'bad' }
  if (project.status === 'deleting') return { word: 'being deleted', tone: 'neutral' }
  if (project.status === 'archived') return { word: 'archived', tone: 'neutral' }
  if (waitsForYou) return { word: 'waits for your answer', tone: 'warn' }
  if (agentsAtWork > 0)
    return { word: `${plural(agentsAtWork, 'agent')} at work`, tone: 'neutral', colour: 'var(--engineer)' }
  if (sandboxState === 'running') return { word: 'ready', tone: 'ok' }
  if (sandboxState === 'error' || sandboxState === 'unhealthy') return { word: 'sandbox needs a look', tone: 'bad' }
  return { word: 'asleep', tone: 'neutral' }
}

export function ProjectCard({ card }: { card: Card }) {
  const now = useNow()
  const { project } = card
  const state = stateOf(card)
  return (
    <article className="group relative overflow-hidden rounded-lg border border-line bg-surface-1 transition-colors duration-[120ms] focus-within:border-line-strong hover:border-line-strong">
      <div aria-hidden className="h-[120px]" style={{ background: cover(project.id) }} />
      <div className="border-t border-line px-4 pt-3.5 pb-4">
        <div className="flex items-baseline gap-3">
          <h3 className="min-w-0 flex-1 truncate font-display text-lg font-semibold">
            <Link
              to={`/projects/${project.id}`}
              className="after:absolute after:inset-0 focus-visible:outline-none after:rounded-lg focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent"
            >
              {project.name}
            </Link>
          </h3>
          <span className="text-xs whitespace-nowrap text-fg-3 tabular">{ago(project.lastActivityAt, now)}</span>
        </div>
        <div className="mt-2 flex min-h-7 items-center gap-3 text-sm text-fg-2">
          <Chip tone={state.tone} colour={state.colour}>
            {state.word}
          </Chip>
          <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
            <GitBranch aria-hidden className="size-3.5 text-fg-3" />
            {card.branches > 1 ? plural(card.branches, 'branch', 'branches') : project.defaultBranch}
          </span>
          <span className="tabular">{dollars(card.costUsd)}</span>
          <CardMenu card={card} />
        </div>
      </div>
    </article>
  )
}

function CardMenu({ card: { project, role } }: { card: Card }) {
  const client = useQueryClient()
  const [isDeleting, setDeleting] = useState(false)
  const [section, setSection] = useState<SettingsSection | null>(null)
  const again = () => client.invalidateQueries({ queryKey: projectKeys.lists })
  const archive = useMutation({ mutationFn: archiveProject, onSettled: again })
  const restore = useMutation({ mutationFn: unarchiveProject, onSettled: again })
  const gone = () => {
    setSection(null)
    void again()
  }
  return (
    <>
      <Menu>
        <MenuTrigger
          aria-label={`More for ${project.name}`}
          className="relative z-10 ml-auto grid size-7 place-items-center rounded-sm text-fg-3 hover:bg-surface-3 hover:text-fg max-md:size-11"
        >
          <Ellipsis className="size-4" />
        </MenuTrigger>
        <MenuContent align="end">
          <MenuItem onSelect={() => setSection('general')}>
            <SlidersHorizontal /> Settings
          </MenuItem>
          <MenuItem onSelect={() => setSection('members')}>
            <Users /> Members
          </MenuItem>
          {role === 'owner' && (
            <>
              <MenuSeparator />
              {project.status === 'archived' ? (
                <MenuItem onSelect={() => restore.mutate(project.id)}>
                  <ArchiveRestore /> Restore
                </MenuItem>
              ) : (
                <MenuItem onSelect={() => archive.mutate(project.id)} disabled={project.status !== 'active'}>
                  <Archive /> Archive
                </MenuItem>
              )}
              <MenuItem onSelect={() => setDeleting(true)} className="text-bad [&>svg]:text-bad">
                <Trash2 /> Delete…
              </MenuItem>
            </>
          )}
        </MenuContent>
      </Menu>
      <DeleteDialog project={project} open={isDeleting} onOpenChange={setDeleting} />
      <SettingsDialog project={project} role={role} section={section} onSection={setSection} onGone={gone} />
    </>
  )
}
