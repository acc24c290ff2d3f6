import { shortBranch } from '../../lib/format.ts'
import { roleLook } from '../../lib/roles.ts'
import type { Crew } from '../agents/api.ts'
import { stateWord, type Work } from '../tasks/api.ts'
import type { Lane } from './lanes.ts'

/** What stands at a lane's end: the word for where the work is. */
export interface LaneEnd {
  text: string
  colour: string
}

export interface LaneRow {
  lane: Lane
  label: string
  colour: string
  end: LaneEnd | null
  /** A task without a branch yet: why it waits. */
  waits: string | null
  taskId: string | null
}

const empty = (name: string): Lane => ({ name, role: null, taskId: null, forkedAt: null, mergedAt: null, dots: [] })

function endOf(lane: Lane, work: Work, crew: Crew): LaneEnd | null {
  const task = lane.taskId === null ? undefined : work.tasks[lane.taskId]
  if (!task || lane.mergedAt !== null) return null
  const own = roleLook(task.role).colour
  const run = Object.values(crew.runs).find(
    ({ taskId, state }) => taskId === task.id && (state === 'running' || state === 'waiting'),
  )
  switch (task.state) {
    case 'working':
      return { text: run ? `step ${crew.steps[run.id] ?? 0}` : 'working', colour: own }
    case 'reviewing': {
      const reviewer = run ? roleLook(run.role) : roleLook('architect')
      return { text: `review · ${reviewer.name}`, colour: reviewer.colour }
    }
    case 'waiting':
      return { text: 'waiting', colour: 'var(--text-3)' }
    case 'failed':
      return { text: 'failed', colour: 'var(--bad)' }
    case 'needs_you':
      return { text: 'needs you', colour: 'var(--warn)' }
    case 'cancelled':
      return { text: 'cancelled', colour: 'var(--text-3)' }
    default:
      return { text: stateWord[task.state], colour: 'var(--info)' }
  }
}

/** The rows of the drawing: main, every branch in the order it was made, then tasks that still wait for one. */
export function laneRows(lanes: readonly Lane[], work: Work, crew: Crew): LaneRow[] {
  const drawn = lanes.map((lane): LaneRow => {
    const role = lane.role
    return {
      lane,
      label: (lane.taskId === null ? undefined : work.tasks[lane.taskId]?.key) ?? shortBranch(lane.name),
      colour: role ? roleLook(role).colour : 'var(--text-3)',
      end: endOf(lane, work, crew),
      waits: null,
      taskId: lane.taskId,
    }
  })
  const branched = new Set(lanes.map(({ taskId }) => taskId))
  const approved = Object.values(work.plans).filter(({ state }) => state === 'approved')
  const waiting = approved
    .flatMap((plan) => plan.tasks.map(({ id }) => work.tasks[id]!))
    .filter((task) => task.state === 'waiting' && !branched.has(task.id))
    .map((task): LaneRow => {
      const first = task.dependsOn.map((id) => work.tasks[id]).find((known) => known && known.state !== 'merged')
      return {
        lane: empty(task.key),
        label: task.key,
        colour: roleLook(task.role).colour,
        end: null,
        waits: first ? `waits for ${first.key}` : 'waits for its turn',
        taskId: task.id,
      }
    })
  return [...drawn, ...waiting]
}
