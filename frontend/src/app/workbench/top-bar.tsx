import { useQuery } from '@tanstack/react-query'
import { Coins, GitBranch } from 'lucide-react'
import { Link } from 'react-router'
import { Logo } from '../../components/logo.tsx'
import { pill } from '../../components/ui/chip.tsx'
import { Tooltip } from '../../components/ui/tooltip.tsx'
import { CrewStrip } from '../../features/agents/components/crew-strip.tsx'
import { UserMenu } from '../../features/identity/components/user-menu.tsx'
import { useProjectLog } from '../../features/realtime/api.ts'
import { costFold, usageSummary } from '../../features/usage/api.ts'
import { cn } from '../../lib/cn.ts'
import { reading } from '../../lib/fold.ts'
import { dollars, groupedNumber, plural, shortSha } from '../../lib/format.ts'
import type { Bench } from './bench.ts'
import { ProjectTitle } from './project-title.tsx'

const readCost = reading(costFold)

export function TopBar({ bench }: { bench: Bench }) {
  const { project, head } = bench.detail
  return (
    <header className="hairline-b shrink-0 bg-surface-1">
      <div className="flex h-12 items-center gap-3 px-3 md:px-4">
        <Link to="/" aria-label="Your projects" className="grid size-7 place-items-center rounded-sm max-md:size-11">
          <Logo />
        </Link>
        <ProjectTitle bench={bench} />
        <span className={cn(pill, 'max-md:hidden')} title={head ? `main is at ${shortSha(head)}` : undefined}>
          <GitBranch aria-hidden /> {project.defaultBranch}
        </span>
        <div className="flex min-w-0 flex-1 justify-center max-lg:hidden">
          <CrewStrip projectId={bench.projectId} onOpenTask={bench.onOpenTask} />
        </div>
        <div className="ml-auto flex shrink-0 items-center gap-3">
          <CostChip projectId={bench.projectId} budgetUsd={project.config.budgetUsd} />
          <UserMenu />
        </div>
      </div>
      <div className="px-3 pb-1.5 lg:hidden">
        <CrewStrip projectId={bench.projectId} onOpenTask={bench.onOpenTask} />
      </div>
    </header>
  )
}

function CostChip({ projectId, budgetUsd }: { projectId: string; budgetUsd: string | null }) {
  const micros = useProjectLog(projectId, readCost)
  if (micros === undefined) return null
  const cost = dollars((micros / 1_000_000).toFixed(6))
  const isNearlySpent = budgetUsd !== null && micros >= Number(budgetUsd) * 1_000_000 * 0.8
  return (
    <Tooltip text={<UsageFigures projectId={projectId} />}>
      <button
        type="button"
        aria-label={`Spent so far: ${cost}${budgetUsd === null ? '' : ` of ${dollars(budgetUsd)}`}`}
        className={cn(pill, 'touch-target font-semibold text-fg tabular')}
      >
        <Coins aria-hidden className={isNearlySpent ? 'text-warn' : 'text-fg-3'} /> {cost}
        {budgetUsd !== null && <span className="font-normal text-fg-2 max-sm:hidden">of {dollars(budgetUsd)}</span>}
      </button>
    </Tooltip>
  )
}

/** Asked for when someone looks. */
function UsageFigures({ projectId }: { projectId: string }) {
  const { data } = useQuery({ ...usageSummary(projectId), staleTime: 2_000 })
  if (!data) return 'What the models have cost'
  const { calls, inputTokens, outputTokens, cacheReadTokens } = data
  return `${plural(calls, 'model call')} · ${groupedNumber(inputTokens)} tokens in · ${groupedNumber(outputTokens)} out · ${groupedNumber(cacheReadTokens)} from cache`
}
