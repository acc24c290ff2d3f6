import { clockTime, plural, shortSha } from '../../../lib/format.ts'
import type { LaneRow } from '../lane-rows.ts'

interface LaneListProps {
  rows: readonly LaneRow[]
  onOpenTask(taskId: string): void
}

function standing({ lane, end, waits }: LaneRow): string {
  if (waits) return waits
  if (lane.mergedAt !== null) return `merged at ${clockTime(lane.mergedAt)}`
  return end?.text ?? plural(lane.dots.length, 'commit')
}

/** The drawing in words. */
export const LaneList = ({ rows, onOpenTask }: LaneListProps) => (
  <ul aria-label="Branches" className="grid h-full content-start gap-3 overflow-auto px-4 py-3 pr-14">
    {rows.map((row) => (
      <li key={row.lane.name} className="text-sm">
        <p className="flex flex-wrap items-center gap-x-2">
          <span aria-hidden className="size-2 rounded-full" style={{ background: row.colour }} />
          {row.taskId ? (
            <button
              type="button"
              className="font-mono text-xs touch-target hover:underline"
              onClick={() => onOpenTask(row.taskId!)}
            >
              {row.label}
            </button>
          ) : (
            <span className="font-mono text-xs">{row.label}</span>
          )}
          <span className="text-xs text-fg-2">{standing(row)}</span>
        </p>
        <ol className="mt-1 ml-4 grid gap-0.5 text-xs text-fg-2">
          {row.lane.dots.map((dot) => (
            <li key={dot.sha} className="flex gap-2">
              <code className="font-mono text-fg-3">{shortSha(dot.sha)}</code>
              <span className="min-w-0 truncate">{dot.subject}</span>
              <span className="ml-auto text-fg-3 tabular">{clockTime(dot.at)}</span>
            </li>
          ))}
        </ol>
      </li>
    ))}
  </ul>
)
