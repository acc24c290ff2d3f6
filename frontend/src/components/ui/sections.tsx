import { Tabs as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { cn } from '../../lib/cn.ts'

export interface Section<Name extends string> {
  name: Name
  label: string
  icon: ReactNode
  body: ReactNode
}

interface SectionsProps<Name extends string> {
  label: string
  sections: readonly Section<Name>[]
  open: Name
  onOpen(name: Name): void
}

/** The parts of a settings dialog: names beside the open one, above it where the page is narrow. */
export function Sections<Name extends string>({ label, sections, open, onOpen }: SectionsProps<Name>) {
  return (
    <Radix.Root
      value={open}
      onValueChange={(name) => onOpen(name as Name)}
      orientation="vertical"
      className="flex gap-6 max-md:flex-col max-md:gap-4"
    >
      <Radix.List
        aria-label={label}
        className="flex w-40 shrink-0 flex-col gap-0.5 max-md:grid max-md:w-full max-md:grid-cols-2"
      >
        {sections.map(({ name, label: title, icon }) => (
          <Radix.Trigger
            key={name}
            value={name}
            className={cn(
              'focus-inset flex h-8 shrink-0 items-center gap-2.5 rounded-sm px-2.5 text-left text-sm whitespace-nowrap text-fg-2 transition-colors duration-[120ms]',
              'hover:text-fg data-[state=active]:bg-surface-3 data-[state=active]:font-medium data-[state=active]:text-fg max-md:h-11 [&>svg]:size-4',
            )}
          >
            {icon} {title}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {sections.map(({ name, body }) => (
        <Radix.Content key={name} value={name} className="min-w-0 md:min-h-[26rem] flex-1 rounded-sm">
          {body}
        </Radix.Content>
      ))}
    </Radix.Root>
  )
}
