import { Laptop, Monitor, Power, RotateCw, Smartphone, Tablet } from 'lucide-react'
import {
  Menu,
  MenuChoice,
  MenuContent,
  MenuItem,
  MenuLabel,
  MenuSeparator,
  MenuTrigger,
} from '../../../components/ui/menu.tsx'
import type { Width } from '../place.ts'

const widths = [
  { value: '390', width: 390, label: 'Phone · 390 px', icon: <Smartphone /> },
  { value: '768', width: 768, label: 'Tablet · 768 px', icon: <Tablet /> },
  { value: '1280', width: 1280, label: 'Laptop · 1280 px', icon: <Laptop /> },
  { value: 'full', width: null, label: 'As wide as the pane', icon: <Monitor /> },
] as const

interface ViewMenuProps {
  width: Width
  onWidth(width: Width): void
  /** Missing for those who only look, or while nothing runs. */
  onOrder?: ((verb: 'restart' | 'stop') => void) | undefined
}

/** How wide the page is shown, and the switch of the server behind it. */
export function ViewMenu({ width, onWidth, onOrder }: ViewMenuProps) {
  const chosen = widths.find((each) => each.width === width) ?? widths[3]
  return (
    <Menu>
      <MenuTrigger
        aria-label={`Width of the page: ${chosen.label}`}
        title="Width and server"
        className="inline-grid size-7 shrink-0 place-items-center rounded-sm text-fg-2 transition-colors duration-[120ms] hover:bg-surface-3 hover:text-fg max-md:size-11 [&>svg]:size-4"
      >
        {chosen.icon}
      </MenuTrigger>
      <MenuContent align="end">
        <MenuLabel>Width</MenuLabel>
        <MenuChoice
          value={chosen.value}
          onChange={(value) => onWidth(widths.find((each) => each.value === value)!.width)}
          options={widths}
        />
        {onOrder && (
          <>
            <MenuSeparator />
            <MenuItem onSelect={() => onOrder('restart')}>
              <RotateCw /> Restart the dev server
            </MenuItem>
            <MenuItem onSelect={() => onOrder('stop')}>
              <Power /> Stop the dev server
            </MenuItem>
          </>
        )}
      </MenuContent>
    </Menu>
  )
}
