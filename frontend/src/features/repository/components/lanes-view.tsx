import { GitFork, List, Waypoints } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { IconButton } from '../../../components/ui/icon-button.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { useNow } from '../../../lib/clock.ts'
import { useProjectLog } from '../../realtime/api.ts'
import { readWork } from '../../tasks/api.ts'
import { readCrew } from '../../agents/api.ts'
import { readLanes } from '../lanes.ts'
import { laneRows } from '../lane-rows.ts'
import { LaneDrawing } from './lane-drawing.tsx'
import { LaneList } from './lane-list.tsx'

interface LanesViewProps {
  projectId: string
  onOpenTask(taskId: string): void
}

/** Each branch a lane in its role's colour; the same as a list for those who would rather read. */
export function LanesView({ projectId, onOpenTask }: LanesViewProps) {
  const log = useProjectLog(projectId, readLanes)
  const work = useProjectLog(projectId, readWork)
  const crew = useProjectLog(projectId, readCrew)
  const now = useNow()
  const [isList, setList] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  const [{ width, height }, setSize] = useState({ width: 0, height: 0 })

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setSize(entry!.contentRect))
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])

  const rows = log && work && crew ? laneRows(log.lanes, work, crew) : null
  // Where there is room for both, the words stand under the drawing.
  const hasRoom = rows !== null && height > 260 + rows.length * 60
  return (
    <div ref={box} className="relative h-full min-h-0">
      {rows === null ? (
        <div className="grid gap-3 p-4">
          <Skeleton className="h-4 w-2/3" />
          <Skeleton className="h-4 w-1/2" />
        </div>
      ) : rows.length === 0 ? (
        <Notice icon={GitFork} title="No branches yet">
          Every task gets a branch; its commits, forks and merges are drawn here as they happen.
        </Notice>
      ) : isList ? (
        <LaneList rows={rows} onOpenTask={onOpenTask} />
      ) : (
        width > 0 && (
          <div className="flex h-full min-h-0 flex-col">
            <div className={hasRoom ? 'hairline-b shrink-0' : 'min-h-0 flex-1'}>
              <LaneDrawing rows={rows} now={now} width={width} onOpenTask={onOpenTask} />
            </div>
            {hasRoom && (
              <div className="min-h-0 flex-1">
                <LaneList rows={rows} onOpenTask={onOpenTask} />
              </div>
            )}
          </div>
        )
      )}
      {rows !== null && rows.length > 0 && !hasRoom && (
        <div className="absolute right-2 bottom-2 rounded-sm border border-line bg-surface-1">
          <IconButton
            label={isList ? 'Show as lanes' : 'Show as a list'}
            side="left"
            aria-pressed={isList}
            onClick={() => setList(!isList)}
          >
            {isList ? <Waypoints /> : <List />}
          </IconButton>
        </div>
      )}
    </div>
  )
}
