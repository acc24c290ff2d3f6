import { KeyRound, MonitorSmartphone, UserRound } from 'lucide-react'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { Sections } from '../../../components/ui/sections.tsx'
import { useSession } from '../api.ts'
import { Devices } from './devices.tsx'
import { PasswordSection } from './password-section.tsx'
import { ProfileForm } from './profile-form.tsx'

export type AccountSection = 'profile' | 'password' | 'devices'

interface AccountDialogProps {
  /** Null: closed. */
  section: AccountSection | null
  onSection(section: AccountSection | null): void
}

export function AccountDialog({ section, onSection }: AccountDialogProps) {
  const user = useSession((session) => session.user)
  if (!user) return null
  return (
    <Dialog
      open={section !== null}
      onOpenChange={(isOpen) => onSection(isOpen ? 'profile' : null)}
      title="Your account"
      description={user.email ?? `@${user.username}`}
      className="w-[min(700px,calc(100vw-24px))]"
    >
      <Sections<AccountSection>
        label="Account"
        open={section ?? 'profile'}
        onOpen={onSection}
        sections={[
          { name: 'profile', label: 'Profile', icon: <UserRound />, body: <ProfileForm user={user} /> },
          { name: 'password', label: 'Password', icon: <KeyRound />, body: <PasswordSection user={user} /> },
          { name: 'devices', label: 'Devices', icon: <MonitorSmartphone />, body: <Devices /> },
        ]}
      />
    </Dialog>
  )
}
