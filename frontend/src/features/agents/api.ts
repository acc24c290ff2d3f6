import type { Agent, Run } from '@guildhall/protocol/agents.ts'
import type { Event } from '@guildhall/protocol/events.ts'
import { type Fold, reading } from '../../lib/fold.ts'
import { roleLook, roleOrder } from '../../lib/roles.ts'

/** The crew as the log tells it: every seat with its newest state, the runs that are under way, the steps of each. */
export interface Crew {
  agents: readonly Agent[]
  runs: Readonly<Record<string, Run>>
  /** Tool steps begun, by run. */
  steps: Readonly<Record<string, number>>
  /** Runs with a tool step that has begun and not ended. */
  busy: Readonly<Record<string, boolean>>
}

const isOver = ({ state }: Run) => state === 'done' || state === 'failed' || state === 'cancelled'

const seat = (agents: readonly Agent[], agent: Agent): readonly Agent[] =>
  [...agents.filter(({ id }) => id !== agent.id), agent].sort(
    (a, b) => roleOrder.indexOf(a.role) - roleOrder.indexOf(b.role) || a.name.localeCompare(b.name),
  )

export const crewFold: Fold<Crew, Event> = {
  initial: { agents: [], runs: {}, steps: {}, busy: {} },
  step(crew, event) {
    switch (event.type) {
      case 'agent.seated':
      case 'agent.changed':
        return { ...crew, agents: seat(crew.agents, event.data.agent) }
      case 'agent.run.queued':
      case 'agent.run.started':
      case 'agent.run.finished':
        return { ...crew, runs: { ...crew.runs, [event.data.run.id]: event.data.run } }
      case 'agent.step.begun': {
        const { runId } = event.data.step
        const steps = { ...crew.steps, [runId]: (crew.steps[runId] ?? 0) + 1 }
        return { ...crew, steps, busy: { ...crew.busy, [runId]: true } }
      }
      case 'agent.step.finished':
        return { ...crew, busy: { ...crew.busy, [event.data.step.runId]: false } }
      default:
        return crew
    }
  },
}

export const readCrew = reading(crewFold)

export const activeRuns = ({ runs }: Crew): Run[] => Object.values(runs).filter((run) => !isOver(run))

/** Runs under way that show nothing moving in the chat: between two steps, or before the first. */
export const quietRuns = (crew: Crew | undefined, taskName: (taskId: string) => string | null) =>
  crew
    ? activeRuns(crew)
        .filter(({ id, state }) => state !== 'waiting' && !crew.busy[id])
        .map(({ id, role, taskId, state }) => ({
          runId: id,
          role,
          task: taskId && taskName(taskId),
          activity: state === 'queued' ? 'Waiting for a place' : 'Thinking',
        }))
    : []

/** The word for a seat: what it does, or how it stands. */
export const activityOf = ({ state, activity }: Agent): string =>
  activity ?? { idle: 'Idle', working: 'Working', waiting: 'Waiting', stuck: 'Stuck', failed: 'Failed' }[state]

export const seatName = (agent: Agent): string => agent.name || roleLook(agent.role).name
