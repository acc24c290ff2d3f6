import { LogOut, MonitorSmartphone, Monitor, Moon, Sun, UserRound } from 'lucide-react'
import { useState } from 'react'
import {
  Menu,
  MenuChoice,
  MenuContent,
  MenuItem,
  MenuLabel,
  MenuSeparator,
  MenuTrigger,
} from '../../../components/ui/menu.tsx'
import { themeChoices, themeNames, useTheme } from '../../../lib/theme.ts'
import { signOut, useSession } from '../api.ts'
import { AccountDialog, type AccountSection } from './account-dialog.tsx'

const initialsOf = (name: string): string => {
  const words = name.split(/[\s._-]+/).filter(Boolean)
  const letters = words.length > 1 ? words[0]![0]! + words.at(-1)![0]! : name.slice(0, 2)
  return letters.toUpperCase()
}

const themeIcons = { system: <Monitor />, ink: <Moon />, paper: <Sun /> }
const themes = themeChoices.map((value) => ({ value, label: themeNames[value], icon: themeIcons[value] }))

export function UserMenu() {
  const user = useSession((session) => session.user)
  const choice = useTheme((state) => state.choice)
  const choose = useTheme((state) => state.choose)
  const [section, setSection] = useState<AccountSection | null>(null)
  if (!user) return null
  return (
    <>
      <Menu>
        <MenuTrigger
          aria-label={`${initialsOf(user.displayName)}: account of ${user.displayName}`}
          className="touch-target grid size-[30px] shrink-0 place-items-center rounded-full border-[1.5px] border-fg-3 bg-surface-3 text-2xs font-semibold text-fg-2 transition-colors duration-[120ms] hover:border-fg-2 hover:text-fg"
        >
          {initialsOf(user.displayName)}
        </MenuTrigger>
        <MenuContent align="end">
          <div className="px-2.5 py-2">
            <p className="font-medium">{user.displayName}</p>
            <p className="text-xs text-fg-3">{user.email ?? user.username}</p>
          </div>
          <MenuSeparator />
          <MenuLabel>Theme</MenuLabel>
          <MenuChoice value={choice} onChange={choose} options={themes} />
          <MenuSeparator />
          <MenuItem onSelect={() => setSection('profile')}>
            <UserRound /> Account
          </MenuItem>
          <MenuItem onSelect={() => setSection('devices')}>
            <MonitorSmartphone /> Devices
          </MenuItem>
          <MenuItem onSelect={() => void signOut()}>
            <LogOut /> Sign out
          </MenuItem>
        </MenuContent>
      </Menu>
      <AccountDialog section={section} onSection={setSection} />
    </>
  )
}
