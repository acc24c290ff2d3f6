import type { Project, ProjectRole } from '@guildhall/protocol/projects.ts'
import { Archive, SlidersHorizontal, Users, UsersRound } from 'lucide-react'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { Sections } from '../../../components/ui/sections.tsx'
import { SettingsCrew } from './settings-crew.tsx'
import { SettingsEnd } from './settings-end.tsx'
import { SettingsGeneral } from './settings-general.tsx'
import { SettingsMembers } from './settings-members.tsx'

export const settingsSections = ['general', 'crew', 'members', 'end'] as const
export type SettingsSection = (typeof settingsSections)[number]

interface SettingsDialogProps {
  project: Project
  role: ProjectRole
  /** Null: closed. */
  section: SettingsSection | null
  onSection(section: SettingsSection | null): void
  /** The project is gone for the reader: deleted, or left. */
  onGone(): void
}

export function SettingsDialog({ project, role, section, onSection, onGone }: SettingsDialogProps) {
  const given = { project, mayChange: role === 'owner' }
  return (
    <Dialog
      open={section !== null}
      onOpenChange={(isOpen) => onSection(isOpen ? 'general' : null)}
      title="Project settings"
      description={project.name}
      className="w-[min(760px,calc(100vw-24px))]"
    >
      <Sections<SettingsSection>
        label="Settings"
        open={section ?? 'general'}
        onOpen={onSection}
        sections={[
          { name: 'general', label: 'General', icon: <SlidersHorizontal />, body: <SettingsGeneral {...given} /> },
          { name: 'crew', label: 'Crew', icon: <UsersRound />, body: <SettingsCrew {...given} /> },
          { name: 'members', label: 'Members', icon: <Users />, body: <SettingsMembers {...given} onGone={onGone} /> },
          {
            name: 'end',
            label: 'Archive or delete',
            icon: <Archive />,
            body: <SettingsEnd {...given} onGone={onGone} />,
          },
        ]}
      />
    </Dialog>
  )
}
