import { readFile } from 'node:fs/promises'
import type { DiskUse, Stats } from './wire.ts'

/** What this sandbox uses, from its own cgroup (v2, else v1); null where the kernel does not say. */
export async function readStats({ usedBytes, limitBytes }: DiskUse): Promise<Stats> {
  return {
    memoryBytes: await firstNumber(['/sys/fs/cgroup/memory.current', '/sys/fs/cgroup/memory/memory.usage_in_bytes']),
    cpuUs: await cpuMicroseconds(),
    pids: await firstNumber(['/sys/fs/cgroup/pids.current', '/sys/fs/cgroup/pids/pids.current']),
    diskUsedBytes: usedBytes,
    diskLimitBytes: limitBytes,
  }
}

/** TCP ports that something listens on, lowest first. */
export async function listeningPorts(): Promise<number[]> {
  const ports = new Set<number>()
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await textOf(path))?.split('\n').slice(1) ?? []) {
      const [, local, , state] = line.trim().split(/\s+/)
      if (state === '0A' && local) ports.add(Number.parseInt(local.split(':')[1] ?? '', 16))
    }
  }
  return [...ports].filter((port) => port > 0).sort((a, b) => a - b)
}

async function cpuMicroseconds(): Promise<number | null> {
  const usage = (await textOf('/sys/fs/cgroup/cpu.stat'))?.match(/^usage_usec (\d+)$/m)
  if (usage) return Number(usage[1])
  const nanoseconds = await firstNumber(['/sys/fs/cgroup/cpuacct/cpuacct.usage'])
  return nanoseconds === null ? null : Math.round(nanoseconds / 1000)
}

async function firstNumber(paths: string[]): Promise<number | null> {
  for (const path of paths) {
    const text = await textOf(path)
    if (text !== null && /^\d+\s*$/.test(text)) return Number(text)
  }
  return null
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
