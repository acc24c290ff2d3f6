import { Tabs as Radix } from 'radix-ui'
import type { ComponentProps } from 'react'
import { cn } from '../../lib/cn.ts'

export const Tabs = Radix.Root
export const TabList = Radix.List

export const Tab = ({ className, ...rest }: ComponentProps<typeof Radix.Trigger>) => (
  <Radix.Trigger
    className={cn(
      'focus-inset relative h-full px-1 text-sm text-fg-2 transition-colors duration-[120ms] hover:text-fg data-[state=active]:font-semibold data-[state=active]:text-fg',
      'after:absolute after:inset-x-0 after:bottom-0 after:h-0.5 after:rounded-full data-[state=active]:after:bg-accent',
      className,
    )}
    {...rest}
  />
)

/** Stays mounted once it was opened (`forceMount`), so that a terminal keeps its screen while another tab is shown. */
export const TabPanel = ({ className, ...rest }: ComponentProps<typeof Radix.Content>) => (
  <Radix.Content className={cn('focus-inset min-h-0 flex-1 data-[state=inactive]:hidden', className)} {...rest} />
)
