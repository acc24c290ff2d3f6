import { type KeyboardEvent, useLayoutEffect, useRef } from 'react'
import { Tooltip } from '../../../components/ui/tooltip.tsx'
import { cn } from '../../../lib/cn.ts'
import { clockTime, clockTimeSeconds, shortSha } from '../../../lib/format.ts'
import type { LaneRow } from '../lane-rows.ts'
import { laneScale, type LaneScale } from '../lane-scale.ts'
import type { Dot } from '../lanes.ts'

interface LaneDrawingProps {
  rows: readonly LaneRow[]
  now: number
  width: number
  onOpenTask(taskId: string): void
}

const ROW = 34
const TOP = 30
const LEFT = 14
/** Between the last thing that happened and now: room for the words at the lanes' ends. */
const ENDS = 130
const RIGHT = 24
const BEND = 26

/** From main down to a lane, or up again: a curve that leaves and arrives level. */
const curve = (fromX: number, fromY: number, toX: number, toY: number) => {
  const reach = (toX - fromX) * 0.55
  return `C ${fromX + reach} ${fromY}, ${toX - reach} ${toY}, ${toX} ${toY}`
}

const yOf = (index: number) => TOP + 14 + index * ROW

function lanePath({ lane }: LaneRow, index: number, scale: LaneScale, end: number): string {
  const y = yOf(index)
  if (lane.forkedAt === null) return index === 0 ? `M ${scale.x(lane.dots[0]?.at ?? 0)} ${y} H ${end}` : ''
  const fork = scale.x(lane.forkedAt)
  const start = `M ${fork} ${yOf(0)} ${curve(fork, yOf(0), fork + BEND, y)}`
  if (lane.mergedAt === null) return `${start} H ${Math.max(fork + BEND, end)}`
  const merge = Math.max(scale.x(lane.mergedAt), fork + BEND * 2)
  return `${start} H ${merge - BEND} ${curve(merge - BEND, y, merge, yOf(0))}`
}

/** Dots stay on their lane's straight part, so none sits on a curve. */
function dotX({ lane }: LaneRow, dot: Dot, scale: LaneScale): number {
  const place = scale.x(dot.at)
  if (lane.forkedAt === null) return place
  const from = scale.x(lane.forkedAt) + BEND
  const to = lane.mergedAt === null ? Infinity : scale.x(lane.mergedAt) - BEND
  return Math.max(from, Math.min(to, place))
}

/** Arrow keys walk the dots: sideways along a lane, up and down to the nearest dot of the next. */
function walk(event: KeyboardEvent<HTMLElement>) {
  const { row, x } = (event.target as HTMLElement).dataset
  const dots = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-row]')]
  const place = (dot: HTMLElement) => Number(dot.dataset.x)
  const onRow = (wanted: number) => dots.filter((dot) => Number(dot.dataset.row) === wanted)
  const here = Number(x)
  const steps: Record<string, () => HTMLElement | undefined> = {
    ArrowRight: () => onRow(Number(row)).find((dot) => place(dot) > here),
    ArrowLeft: () => onRow(Number(row)).findLast((dot) => place(dot) < here),
    ArrowDown: () =>
      nearest(
        dots.filter((dot) => Number(dot.dataset.row) > Number(row)),
        1,
      ),
    ArrowUp: () =>
      nearest(
        dots.filter((dot) => Number(dot.dataset.row) < Number(row)),
        -1,
      ),
  }
  const nearest = (candidates: HTMLElement[], direction: 1 | -1) => {
    const rows = candidates.map((dot) => Number(dot.dataset.row))
    const next = direction === 1 ? Math.min(...rows) : Math.max(...rows)
    return onRow(next).sort((a, b) => Math.abs(place(a) - here) - Math.abs(place(b) - here))[0]
  }
  const target = row === undefined ? undefined : steps[event.key]?.()
  if (!target) return
  event.preventDefault()
  target.focus()
}

export function LaneDrawing({ rows, now, width, onOpenTask }: LaneDrawingProps) {
  const labels = width < 520 ? 104 : 124
  const scroller = useRef<HTMLDivElement>(null)
  const lanes = rows.map(({ lane }) => lane)
  const scale = laneScale(lanes, now, Math.max(160, width - labels - LEFT - ENDS - RIGHT))
  const height = yOf(rows.length - 1) + 30
  const nowX = scale.width + ENDS
  const drawn = LEFT + nowX + RIGHT
  const first = rows.findIndex(({ lane }) => lane.dots.length > 0)

  // The newest is what one wants to see first.
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollLeft = scroller.current.scrollWidth
  }, [drawn])

  return (
    <div className="flex h-full min-h-0 overflow-y-auto">
      <ul aria-hidden className="sticky left-0 shrink-0 pl-4 font-mono text-xs" style={{ width: labels, height }}>
        {rows.map((row, index) => (
          <li
            key={row.lane.name}
            className={cn('absolute truncate leading-4', row.waits && 'text-fg-3')}
            style={{ top: yOf(index) - 8, width: labels - 22 }}
            title={row.lane.name}
          >
            {row.label}
          </li>
        ))}
      </ul>
      <div
        ref={scroller}
        role="group"
        aria-label="Branch lanes; arrow keys walk the commits"
        onKeyDown={walk}
        className="relative min-w-0 flex-1 overflow-x-auto overflow-y-hidden"
        style={{ height }}
      >
        <div className="relative" style={{ width: drawn, height }}>
          <svg width={drawn} height={height} aria-hidden className="absolute inset-0">
            <g transform={`translate(${LEFT} 0)`}>
              {scale.ticks.map((tick) => (
                <g key={tick.at}>
                  <line x1={tick.x} x2={tick.x} y1={TOP} y2={height - 8} stroke="var(--line)" />
                  <text x={tick.x} y={16} className="fill-fg-3 text-[9.5px] tabular">
                    {scale.stepMs < 60_000 ? clockTimeSeconds(tick.at) : clockTime(tick.at)}
                  </text>
                </g>
              ))}
              {scale.breaks.map((place) => (
                <text key={place} x={place} y={16} textAnchor="middle" className="fill-fg-3 text-[9.5px]">
                  ⋯
                </text>
              ))}
              <line
                x1={nowX}
                x2={nowX}
                y1={TOP - 4}
                y2={height - 8}
                stroke="var(--accent)"
                strokeDasharray="2 3"
                strokeWidth="1.3"
              />
              <text x={nowX} y={16} textAnchor="middle" className="fill-accent text-[9.5px]">
                now
              </text>
              {rows.map((row, index) => (
                <path
                  key={row.lane.name}
                  d={lanePath(row, index, scale, index === 0 ? nowX + 14 : row.end ? scale.width + 14 : nowX - 8)}
                  fill="none"
                  stroke={row.colour}
                  strokeWidth="2"
                  strokeLinecap="round"
                />
              ))}
              {rows.map(
                (row, index) =>
                  row.waits && (
                    <line
                      key={row.lane.name}
                      x1={0}
                      x2={scale.width + 6}
                      y1={yOf(index)}
                      y2={yOf(index)}
                      stroke="var(--line-strong)"
                      strokeDasharray="1 5"
                      strokeLinecap="round"
                    />
                  ),
              )}
              {rows.map((row, index) =>
                row.lane.dots.map((dot) => (
                  <circle
                    key={dot.sha}
                    cx={dotX(row, dot, scale)}
                    cy={yOf(index)}
                    r={dot.kind === 'merge' ? 4.6 : 4}
                    fill="var(--surface-1)"
                    stroke={row.lane.forkedAt === null ? 'var(--text-2)' : row.colour}
                    strokeWidth="2"
                  />
                )),
              )}
            </g>
          </svg>
          {rows.map((row, index) => (
            <div key={row.lane.name}>
              {row.lane.dots.map((dot, at) => {
                const x = LEFT + dotX(row, dot, scale)
                const when = clockTimeSeconds(dot.at)
                return (
                  <Tooltip key={dot.sha} text={`${dot.subject} · ${shortSha(dot.sha)} · ${when}`} side="top">
                    <button
                      type="button"
                      data-row={index}
                      data-x={x}
                      tabIndex={index === first && at === 0 ? 0 : -1}
                      aria-label={`${row.label}: ${dot.subject}, ${shortSha(dot.sha)}, ${when}`}
                      onClick={() => row.taskId && onOpenTask(row.taskId)}
                      className="absolute size-6 -translate-1/2 rounded-full"
                      style={{ left: x, top: yOf(index) }}
                    />
                  </Tooltip>
                )
              })}
              {row.end && (
                <EndChip
                  row={row}
                  x={LEFT + scale.width + 14}
                  y={yOf(index)}
                  onOpen={() => row.taskId && onOpenTask(row.taskId)}
                />
              )}
              {row.waits && (
                <span
                  className="absolute -translate-y-1/2 text-[10px] whitespace-nowrap text-fg-3"
                  style={{ left: LEFT + scale.width + 14, top: yOf(index) }}
                >
                  {row.waits}
                </span>
              )}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}

const EndChip = ({ row, x, y, onOpen }: { row: LaneRow; x: number; y: number; onOpen(): void }) => (
  <button
    type="button"
    onClick={onOpen}
    aria-label={`${row.label}: ${row.end!.text}`}
    className="absolute h-5 -translate-y-1/2 rounded-full border border-(--tone)/60 px-2 text-[10px] whitespace-nowrap toned"
    style={{ left: x, top: y, '--tone': row.end!.colour } as React.CSSProperties}
  >
    {row.end!.text}
  </button>
)
