import { ChevronDown } from 'lucide-react'

interface SelectProps {
  label: string
  value: string
  onChange(value: string): void
  options: readonly { value: string; label: string }[]
  disabled?: boolean
}

/** The system's own list behind a pill. */
export const Select = ({ label, value, onChange, options, disabled }: SelectProps) => (
  <span className="relative inline-flex min-w-0">
    <select
      aria-label={label}
      value={value}
      disabled={disabled}
      onChange={(event) => onChange(event.target.value)}
      className="h-8 max-w-44 min-w-0 appearance-none truncate rounded-full border border-line bg-surface-1 pr-7 pl-3 text-xs text-fg-2 transition-colors duration-[120ms] enabled:hover:border-line-strong enabled:hover:text-fg disabled:opacity-60 max-md:h-11"
    >
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
    <ChevronDown
      aria-hidden
      className="pointer-events-none absolute top-1/2 right-2.5 size-3.5 -translate-y-1/2 text-fg-3"
    />
  </span>
)
