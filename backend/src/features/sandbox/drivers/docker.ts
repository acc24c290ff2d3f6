import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SlotId } from '@guildhall/protocol/ids.ts'
import type Docker from 'dockerode'
import { AppError } from '../../../platform/errors.ts'
import type { Door, SandboxDriver, SlotSpec, SlotTruth } from '../driver.ts'
import { connectEngine, findEngine, noEngine, pingEngine, type EngineAddress } from './engine.ts'
import { HijackedExec } from './hijacked.ts'
import { ownerProfile, sandboxProfile } from './profile.ts'
import { watchEngine } from './watch-engine.ts'

const slotLabel = 'guildhall.slot'
const instanceLabel = 'guildhall.instance'
const helperLabel = 'guildhall.helper'
const helperMaxAgeS = 120
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

type Engine = { docker: Docker; address: EngineAddress; cpus: number; identity: string }
/** What of the engine's own words decides how its containers are walled. */
type Info = { NCPU?: number; ID?: string; ServerVersion?: string; KernelVersion?: string; DefaultRuntime?: string }

/**
 * Docker, OrbStack, Podman: anything that speaks the Docker API. Everything is made from constants and carries our
 * labels; `instance` keeps installations on one engine apart. The archive calls are never used.
 */
export function createDockerDriver({
  dockerHost,
  instance,
  labels = {},
  profile = sandboxProfile,
}: {
  dockerHost?: string | null | undefined
  instance: string
  /** More labels, on everything. */
  labels?: Record<string, string> | undefined
  /** What a sandbox's container is made from; the test of the self-test loosens it. */
  profile?: typeof sandboxProfile | undefined
}): SandboxDriver {
  let engine: Engine | null = null
  const nameOf = (slotId: SlotId) => `guildhall-${slotId}`
  const ours = { ...labels, [instanceLabel]: instance }
  const labelsOf = (slotId: SlotId) => ({ ...ours, [slotLabel]: slotId })
  const filters = { label: [`${instanceLabel}=${instance}`] }

  async function ready(): Promise<Engine> {
    if (engine) return engine
    const address = await findEngine({ dockerHost })
    const docker = connectEngine(address)
    await pingEngine(docker, address)
    const { NCPU, ID, ServerVersion, KernelVersion, DefaultRuntime } = (await docker.info()) as Info
    const identity = [address.url, ID, ServerVersion, KernelVersion, DefaultRuntime].join(' ')
    return (engine = { docker, address, cpus: NCPU ?? 1, identity })
  }

  /** Runs against the engine; one that is gone is looked up anew by the next call. */
  async function withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const found = await ready()
    try {
      return await work(found)
    } catch (error) {
      if (!isUnreachable(error)) throw error
      engine = null
      throw noEngine(`The container engine at ${found.address.url} went away`, error)
    }
  }

  async function inspect(slotId: SlotId): Promise<SlotTruth | null> {
    return withEngine(async ({ docker }) => {
      const found = await unless(404, docker.getContainer(nameOf(slotId)).inspect())
      if (found) {
        const { Running, StartedAt, ExitCode, OOMKilled } = found.State
        const hasStarted = !StartedAt.startsWith('0001')
        return {
          slotId,
          state: Running ? ('running' as const) : ('stopped' as const),
          startedAt: hasStarted ? new Date(StartedAt) : null,
          exitCode: Running || !hasStarted ? null : ExitCode,
          wasOutOfMemory: OOMKilled,
        }
      }
      const volume = await unless(404, docker.getVolume(nameOf(slotId)).inspect())
      return volume ? truth(slotId, 'absent') : null
    })
  }

  async function create(spec: SlotSpec): Promise<void> {
    await withEngine(async ({ docker, cpus }) => {
      const name = nameOf(spec.slotId)
      const known = await unless(404, docker.getContainer(name).inspect())
      if (known?.State.Running || known?.Config.Image === spec.image) return
      if (known) await removed(docker, spec.slotId)
      await docker.createVolume({ Name: spec.volumeName, Labels: labelsOf(spec.slotId) })
      await handOver(docker, spec)
      try {
        await docker.createContainer(profile(spec, { name, labels: labelsOf(spec.slotId), hostCpus: cpus }))
      } catch (error) {
        if (statusOf(error) !== 409) throw explained(error, spec.image)
        // Another process is making it, from the same constants. The name is taken a moment before it can be found.
        await found(docker, name)
      }
    })
  }

  /** Gives the volume's folder to the slot's user. Its files are that user's already, or not there. */
  async function handOver(docker: Docker, spec: SlotSpec): Promise<void> {
    const name = `${nameOf(spec.slotId)}-owner-${Math.random().toString(36).slice(2, 8)}`
    const profile = ownerProfile(spec, { name, labels: { ...ours, [helperLabel]: 'owner' } })
    const helper = await docker.createContainer(profile).catch((error: unknown) => {
      throw explained(error, spec.image)
    })
    try {
      await helper.start()
      const { StatusCode } = (await helper.wait()) as { StatusCode: number }
      if (StatusCode !== 0)
        throw new AppError('unavailable', `The volume could not be given to its user (${StatusCode})`)
    } finally {
      await unless(404, helper.remove({ force: true }))
    }
  }

  /** Waits until the container is gone; another process may be removing it too (409). */
  async function removed(docker: Docker, slotId: SlotId): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await docker.getContainer(nameOf(slotId)).remove({ force: true })
      } catch (error) {
        if (statusOf(error) === 404) return
        if (statusOf(error) !== 409 || tries >= 20) throw error
      }
      await sleep(50)
    }
  }

  async function openBridge(slotId: SlotId, door: Door): Promise<Duplex> {
    return withEngine(async ({ docker }) => {
      try {
        const exec = await docker.getContainer(nameOf(slotId)).exec({
          Cmd: ['socat', '-b', '65536', '-', `UNIX-CONNECT:/run/guildhall/${door}.sock`],
          AttachStdin: true,
          AttachStdout: true,
          AttachStderr: true,
          Tty: false,
        })
        return new HijackedExec(await exec.start({ hijack: true, stdin: true, Tty: false }))
      } catch (error) {
        if (isUnreachable(error)) throw error
        throw new AppError('unavailable', 'The sandbox does not run', { cause: error })
      }
    })
  }

  return {
    name: 'docker',
    isolated: true,
    rootOf: () => '/workspace',
    create,
    inspect,
    openBridge,
    async check() {
      const { docker, address } = await ready()
      await pingEngine(docker, address).catch((error: unknown) => {
        engine = null
        throw error
      })
    },
    identity: () => withEngine(async ({ identity }) => identity),
    hasImage: (image) =>
      withEngine(async ({ docker }) => (await unless(404, docker.getImage(image).inspect())) !== null),
    start: (slotId) =>
      withEngine(async ({ docker }) => {
        await unless(304, docker.getContainer(nameOf(slotId)).start())
      }),
    stop: (slotId) =>
      withEngine(async ({ docker }) => {
        await unless(304, unless(404, docker.getContainer(nameOf(slotId)).stop({ t: 5 })))
      }),
    removeContainer: (slotId) => withEngine(({ docker }) => removed(docker, slotId)),
    remove: (slotId) =>
      withEngine(async ({ docker }) => {
        await removed(docker, slotId)
        const label = [...filters.label, `${slotLabel}=${slotId}`]
        const { Volumes: volumes } = await docker.listVolumes({ filters: { label } })
        for (const { Name } of volumes ?? []) await removedVolume(docker, Name)
      }),
    list: () =>
      withEngine(async ({ docker }) => {
        const [containers, { Volumes: volumes }] = await Promise.all([
          docker.listContainers({ all: true, filters }),
          docker.listVolumes({ filters }),
        ])
        const found = new Map<SlotId, SlotTruth>()
        for (const { Labels } of volumes ?? []) {
          const slotId = slotOf(Labels)
          if (slotId) found.set(slotId, truth(slotId, 'absent'))
        }
        for (const { Labels, State } of containers) {
          const slotId = slotOf(Labels)
          if (slotId) found.set(slotId, truth(slotId, State === 'running' ? 'running' : 'stopped'))
        }
        return [...found.values()]
      }),
    tidy: () =>
      withEngine(async ({ docker }) => {
        const label = [...filters.label, helperLabel]
        for (const { Id, Created } of await docker.listContainers({ all: true, filters: { label } })) {
          if (Date.now() / 1000 - Created < helperMaxAgeS) continue
          await unless(409, unless(404, docker.getContainer(Id).remove({ force: true })))
        }
      }),
    logs: (slotId, { tail, since, until, stream }) =>
      withEngine(async ({ docker }) => {
        const container = docker.getContainer(nameOf(slotId))
        const wanted = { stdout: stream !== 'stderr', stderr: stream !== 'stdout', tail, follow: false as const }
        const times = { ...(since && { since: secondsOf(since) }), ...(until && { until: secondsOf(until) }) }
        const bytes = await unless(404, container.logs({ ...wanted, ...times }))
        return bytes ? linesOf(bytes).slice(-tail) : []
      }),
    onChange: (listener) => watchEngine(async () => (await ready()).docker, filters, listener),
    async close() {
      engine = null
    },
  }
}

async function removedVolume(docker: Docker, name: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await unless(404, docker.getVolume(name).remove({ force: true }))
      return
    } catch (error) {
      // The engine lets go of a volume a moment after its container.
      if (statusOf(error) !== 409 || tries >= 20) throw error
      await sleep(100)
    }
  }
}

async function found(docker: Docker, name: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await unless(404, docker.getContainer(name).inspect())) return
    await sleep(50)
  }
  throw new AppError('unavailable', `The container ${name} is neither free nor there`)
}

const truth = (slotId: SlotId, state: SlotTruth['state']): SlotTruth => ({
  slotId,
  state,
  startedAt: null,
  exitCode: null,
  wasOutOfMemory: false,
})

/** The slot that labels name; labels are the engine's, but whoever holds the engine may write them. */
function slotOf(labels: Record<string, string> | null | undefined): SlotId | null {
  const value = labels?.[slotLabel]
  return value && uuid.test(value) ? (value as SlotId) : null
}

const statusOf = (error: unknown) => (error as { statusCode?: number }).statusCode

/** Null instead of the refusal that means "it is so already". */
async function unless<T>(status: number, work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (statusOf(error) === status) return null
    throw error
  }
}

const unreachable = new Set(['ECONNREFUSED', 'ENOENT', 'EACCES', 'ENOTFOUND', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])
const isUnreachable = (error: unknown) => unreachable.has((error as NodeJS.ErrnoException).code ?? '')

function explained(error: unknown, image: string): unknown {
  if (statusOf(error) !== 404) return error
  return new AppError(
    'unavailable',
    `The sandbox image ${image} is not there. Build it: infrastructure/sandbox/build.sh`,
    {
      cause: error,
    },
  )
}

/** As the engine counts time. */
const secondsOf = (time: string) => Date.parse(time) / 1_000

/** Lines out of the engine's framed log. */
function linesOf(bytes: Buffer): string[] {
  const pieces: Buffer[] = []
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at + 4)
    pieces.push(bytes.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  const text = Buffer.concat(pieces).toString('utf8').trimEnd()
  return text === '' ? [] : text.split('\n')
}
