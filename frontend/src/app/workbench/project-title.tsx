import { Archive, Box, ChevronDown, Globe, LayoutGrid, SlidersHorizontal, Users } from 'lucide-react'
import { useNavigate } from 'react-router'
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from '../../components/ui/menu.tsx'
import { SettingsDialog } from '../../features/projects/components/settings-dialog.tsx'
import type { Bench } from './bench.ts'

/** The project's name, and everything that is done to the project as a whole. */
export function ProjectTitle({ bench }: { bench: Bench }) {
  const { detail, views } = bench
  const { project, role } = detail
  const navigate = useNavigate()
  return (
    <>
      <h1 className="min-w-0">
        <Menu>
          <MenuTrigger
            aria-label={`${project.name}: project menu`}
            title={project.description || undefined}
            className="flex h-8 max-w-full min-w-0 items-center gap-1.5 rounded-sm pr-1 pl-0.5 font-display text-lg font-semibold hover:bg-surface-3 max-md:h-11"
          >
            <span className="min-w-0 truncate">{project.name}</span>
            <ChevronDown aria-hidden className="size-4 shrink-0 text-fg-2" />
          </MenuTrigger>
          <MenuContent align="start">
            <MenuItem onSelect={() => views.setSettings('general')}>
              <SlidersHorizontal /> Settings
            </MenuItem>
            <MenuItem onSelect={() => views.setSettings('members')}>
              <Users /> Members
            </MenuItem>
            {role === 'owner' && (
              <MenuItem onSelect={() => views.setSettings('end')}>
                <Archive /> {project.status === 'archived' ? 'Restore or delete' : 'Archive or delete'}
              </MenuItem>
            )}
            <MenuSeparator />
            <MenuItem onSelect={bench.onSandbox}>
              <Box /> Sandbox
            </MenuItem>
            <MenuItem onSelect={bench.onHosts}>
              <Globe /> Allowed hosts
            </MenuItem>
            <MenuSeparator />
            <MenuItem onSelect={() => void navigate('/')}>
              <LayoutGrid /> All projects
            </MenuItem>
          </MenuContent>
        </Menu>
      </h1>
      <SettingsDialog
        project={project}
        role={role}
        section={views.settings}
        onSection={views.setSettings}
        onGone={() => void navigate('/')}
      />
    </>
  )
}
