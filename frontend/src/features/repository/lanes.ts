import type { Event } from '@guildhall/protocol/events.ts'
import type { Commit } from '@guildhall/protocol/repository.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import { type Fold, reading } from '../../lib/fold.ts'

export interface Dot {
  sha: string
  at: number
  subject: string
  kind: 'commit' | 'merge'
  /** The event that told of it. */
  seq: number
}

/** A branch as a lane. `forkedAt` is null for main; `mergedAt` is when main took it in. */
export interface Lane {
  name: string
  role: Role | null
  taskId: string | null
  forkedAt: number | null
  mergedAt: number | null
  dots: readonly Dot[]
}

export interface LaneLog {
  lanes: readonly Lane[]
}

const main = (name: string): Lane => ({ name, role: null, taskId: null, forkedAt: null, mergedAt: null, dots: [] })

const change = (log: LaneLog, name: string, to: (lane: Lane) => Lane): LaneLog => {
  const index = log.lanes.findIndex((lane) => lane.name === name)
  if (index < 0) return { lanes: [...log.lanes, to(main(name))] }
  return { lanes: log.lanes.with(index, to(log.lanes[index]!)) }
}

const withDot = (lane: Lane, dot: Dot): Lane =>
  lane.dots.some(({ sha }) => sha === dot.sha) ? lane : { ...lane, dots: [...lane.dots, dot] }

/** A commit's own time, kept between the fork and the moment the house saw it: clocks inside may be wrong. */
const commitTime = (lane: Lane, { at }: Commit, seenAt: number): number =>
  Math.min(seenAt, Math.max(Date.parse(at), lane.forkedAt ?? 0))

/** Branches, commits and merges as a reading of the project's log; the first lane is main. */
export const lanesFold: Fold<LaneLog, Event> = {
  initial: { lanes: [] },
  step(log, event) {
    const at = Date.parse(event.at)
    switch (event.type) {
      case 'project.created':
        return log.lanes.length > 0 ? log : { lanes: [main(event.data.project.defaultBranch)] }
      case 'branch.created': {
        const { name, role, taskId, head } = event.data.branch
        // The first branch there is, is the one that everything else forks from.
        const first = log.lanes[0]?.name ?? name
        return change(log, name, (lane) =>
          lane.name === first
            ? withDot(lane, { sha: head, at, subject: 'The first commit', kind: 'commit', seq: event.seq })
            : { ...lane, role, taskId, forkedAt: at },
        )
      }
      case 'branch.pushed': {
        const { name, commits, role } = event.data
        return change(log, name, (lane) =>
          [...commits]
            .sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
            .reduce(
              (grown, commit) =>
                withDot(grown, {
                  sha: commit.sha,
                  at: commitTime(grown, commit, at),
                  subject: commit.subject,
                  kind: 'commit',
                  seq: event.seq,
                }),
              { ...lane, role: lane.role ?? role },
            ),
        )
      }
      case 'main.moved': {
        const { to, branch } = event.data
        const first = log.lanes[0]?.name ?? 'main'
        const subject = branch ? `Merge of ${branch}` : 'Main moved'
        const moved = change(log, first, (lane) =>
          withDot(lane, { sha: to, at, subject, kind: 'merge', seq: event.seq }),
        )
        return branch ? change(moved, branch, (lane) => ({ ...lane, mergedAt: at })) : moved
      }
      default:
        return log
    }
  },
}

export const readLanes = reading(lanesFold)
