import { Check } from 'lucide-react'
import { DropdownMenu as Radix } from 'radix-ui'
import type { ComponentProps, ReactNode } from 'react'
import { cn } from '../../lib/cn.ts'

/** Not modal: the page behind stays readable to those who hear it, and Escape or a click outside closes it. */
export const Menu = ({ children }: { children: ReactNode }) => <Radix.Root modal={false}>{children}</Radix.Root>
export const MenuTrigger = Radix.Trigger

const item =
  'flex min-h-8 items-center gap-2.5 rounded-sm px-2.5 text-sm text-fg outline-none select-none data-[disabled]:opacity-50 data-[highlighted]:bg-surface-3 max-md:min-h-11 [&>svg]:size-4 [&>svg]:text-fg-2'

export function MenuContent({ children, className, ...rest }: ComponentProps<typeof Radix.Content>) {
  return (
    <Radix.Portal>
      <Radix.Content
        sideOffset={6}
        collisionPadding={8}
        className={cn(
          'z-50 min-w-52 animate-fade rounded-md border border-line-strong bg-surface-2 p-1 shadow-lift',
          className,
        )}
        {...rest}
      >
        {children}
      </Radix.Content>
    </Radix.Portal>
  )
}

export const MenuItem = ({ className, ...rest }: ComponentProps<typeof Radix.Item>) => (
  <Radix.Item className={cn(item, className)} {...rest} />
)

export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <Radix.Label className="section-label px-2.5 pt-2 pb-1">{children}</Radix.Label>
)

export const MenuSeparator = () => <Radix.Separator className="my-1 h-px bg-line" />

interface MenuChoiceProps<Value extends string> {
  value: Value
  onChange(value: Value): void
  options: readonly { value: Value; label: string; icon?: ReactNode }[]
}

export function MenuChoice<Value extends string>({ value, onChange, options }: MenuChoiceProps<Value>) {
  return (
    <Radix.RadioGroup value={value} onValueChange={(next) => onChange(next as Value)}>
      {options.map((option) => (
        <Radix.RadioItem key={option.value} value={option.value} className={item}>
          {option.icon}
          <span className="flex-1">{option.label}</span>
          <Radix.ItemIndicator>
            <Check className="size-3.5 text-accent" />
          </Radix.ItemIndicator>
        </Radix.RadioItem>
      ))}
    </Radix.RadioGroup>
  )
}
