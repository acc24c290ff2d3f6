import type { Branch } from '@guildhall/protocol/repository.ts'
import { ChevronDown, GitBranch, Lock } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { cn } from '../../../lib/cn.ts'
import { shortBranch } from '../../../lib/format.ts'
import { pathFrom } from '../place.ts'

interface AddressBarProps {
  branches: readonly Pick<Branch, 'name' | 'status'>[]
  branch: string
  onBranch(branch: string): void
  /** Null while nothing is served. */
  origin: string | null
  path: string
  onGo(path: string): void
}

/** Which branch, and where in it: the two things of an address that are worth reading here. */
export function AddressBar({ branches, branch, onBranch, origin, path, onGo }: AddressBarProps) {
  /** What is being typed; null while the page itself says where it is. */
  const [typed, setTyped] = useState<string | null>(null)
  const [isElsewhere, setElsewhere] = useState(false)

  const go = (event: FormEvent) => {
    event.preventDefault()
    if (origin === null) return
    const to = pathFrom(typed ?? path, origin)
    setElsewhere(to === null)
    if (to === null) return
    setTyped(null)
    onGo(to)
  }
  const leave = () => {
    setTyped(null)
    setElsewhere(false)
  }
  return (
    <form
      onSubmit={go}
      className={cn(
        'relative flex h-7 min-w-0 flex-1 items-center rounded-sm border bg-bg font-mono text-xs focus-within:border-accent max-md:order-last max-md:h-11 max-md:basis-full',
        isElsewhere ? 'border-bad' : 'border-line',
      )}
    >
      <span className="relative flex h-full shrink-0 items-center border-r border-line text-fg-2 hover:text-fg">
        <GitBranch aria-hidden className="pointer-events-none absolute left-2 size-3.5 text-fg-3" />
        <select
          aria-label="Branch in the preview"
          title={branch}
          value={branch}
          onChange={(event) => onBranch(event.target.value)}
          className="focus-inset field-sizing-content h-full max-w-32 appearance-none truncate rounded-l-sm bg-transparent pr-6 pl-7"
        >
          {branches.map(({ name, status }) => (
            <option key={name} value={name}>
              {shortBranch(name)}
              {status === 'abandoned' && ' (not merged)'}
              {status === 'merged' && ' (merged)'}
            </option>
          ))}
        </select>
        <ChevronDown aria-hidden className="pointer-events-none absolute right-1.5 size-3.5 text-fg-3" />
      </span>
      <Lock
        aria-hidden
        className={cn('pointer-events-none ml-2 size-3.5 shrink-0', origin === null ? 'text-fg-3' : 'text-ok')}
      />
      <input
        aria-label="Path in the preview"
        aria-invalid={isElsewhere || undefined}
        title={origin === null ? undefined : `${origin}${path}`}
        value={typed ?? (origin === null ? '' : path)}
        placeholder="no preview yet"
        disabled={origin === null}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        enterKeyHint="go"
        onFocus={(event) => event.target.select()}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={leave}
        onKeyDown={(event) => event.key === 'Escape' && leave()}
        className="h-full min-w-0 flex-1 bg-transparent px-2 outline-none focus-visible:outline-none"
      />
      {isElsewhere && (
        <p
          role="alert"
          className="absolute top-full right-0 left-0 z-20 mt-1 rounded-sm border border-bad/50 bg-surface-2 px-2 py-1 font-sans text-xs text-bad shadow-lift"
        >
          Only pages of this preview: type a path such as /about.
        </p>
      )}
    </form>
  )
}
