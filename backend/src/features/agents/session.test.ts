import type { ProjectId, RunId } from '@guildhall/protocol/ids.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AppError } from '../../platform/errors.ts'
import { newId } from '../../platform/ids.ts'
import { freshLocalSandbox } from '../../testing/sandbox.ts'
import { openRunSession, type RunSession } from './session.ts'

let local: Awaited<ReturnType<typeof freshLocalSandbox>>
beforeEach(async () => {
  local = await freshLocalSandbox()
})
afterEach(() => local.close())

const runOf = (epoch = 3) => ({ id: newId<RunId>(), epoch, projectId: newId<ProjectId>() })
const never = new AbortController().signal
const nothing = async () => undefined

/** What the sandbox service does: a session while it runs, else woken first. `isAway` plays an engine that is gone. */
function house() {
  const state = { session: local.session, isAway: false, woken: 0 }
  const sandbox = {
    async session() {
      if (state.isAway) throw new AppError('no_engine', 'The container engine does not answer')
      const isUp = await state.session.connection.ready().then(
        () => true,
        () => false,
      )
      if (!isUp) {
        state.session = await local.wake()
        state.woken += 1
      }
      return state.session
    },
  }
  return { state, sandbox }
}

test('a sandbox that is killed under a command fails that one, and the next finds it running with its files', async () => {
  const { sandbox, state } = house()
  const run = runOf()
  const made: string[] = []
  const anew = async (inside: RunSession) => {
    const { stdout } = await inside.exec({ argv: ['cat', 'kept.txt'] })
    made.push(stdout.toString())
  }
  const session = await openRunSession(sandbox, run, never, anew)
  await session.writeFile('/workspace/kept.txt', Buffer.from('kept'))
  const step = { runId: run.id, epoch: run.epoch, stepId: '1' }
  const broken = session.exec({ argv: ['sleep', '3'], step })
  const told = expect(broken).rejects.toThrow(/next call finds the sandbox running again.*git status/)
  await new Promise((resolve) => setTimeout(resolve, 200))
  await local.kill()
  await told
  const { stdout } = await session.exec({ argv: ['cat', 'kept.txt'], step: { ...step, stepId: '2' } })
  expect([stdout.toString(), state.woken]).toEqual(['kept', 1])
  // Its place was made sure of before that command, once.
  expect(made).toEqual(['kept'])
  // The new supervisor knows who holds the run: a late worker is refused as before.
  await expect(session.exec({ argv: ['true'], step: { ...step, epoch: 2, stepId: '3' } })).rejects.toMatchObject({
    code: 'stale',
  })
})

test('an engine that is away for a moment is waited for; a stop ends the waiting', async () => {
  const { sandbox, state } = house()
  const stop = new AbortController()
  const session = await openRunSession(sandbox, runOf(), stop.signal, nothing)
  await local.kill()
  state.isAway = true
  await expect(session.readFile('/workspace/x')).rejects.toMatchObject({ code: 'unavailable' })
  const patient = session.exec({ argv: ['echo', 'back'] })
  setTimeout(() => (state.isAway = false), 1_500)
  expect((await patient).stdout.toString()).toBe('back\n')

  await local.kill()
  state.isAway = true
  await expect(session.readFile('/workspace/x')).rejects.toMatchObject({ code: 'unavailable' })
  const waiting = expect(session.readFile('/workspace/x')).rejects.toThrow('stopped by a person')
  stop.abort(new Error('stopped by a person'))
  await waiting
})

test('what is missing at the start is told at once, and what stays away is told in the end', async () => {
  const { sandbox, state } = house()
  state.isAway = true
  await expect(openRunSession(sandbox, runOf(), never, nothing)).rejects.toMatchObject({ code: 'no_engine' })
  state.isAway = false
  const session = await openRunSession(sandbox, runOf(), never, nothing, 500)
  await local.kill()
  state.isAway = true
  await expect(session.readFile('/workspace/x')).rejects.toMatchObject({ code: 'unavailable' })
  await expect(session.readFile('/workspace/x')).rejects.toMatchObject({ code: 'no_engine' })
})
