import type { ContainerCreateOptions } from 'dockerode'
import type { SlotSpec } from '../driver.ts'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

/** The walls that every container of ours has, helpers too. Built from constants: no row can loosen them. */
const walls = {
  Privileged: false,
  CapDrop: ['ALL'],
  CapAdd: [] as string[],
  Devices: [],
  GroupAdd: [],
  Binds: [],
  VolumesFrom: [],
  Links: [],
  // The engine's own seccomp list stays in force. MaskedPaths and ReadonlyPaths stay unset: an empty list would unmask.
  SecurityOpt: ['no-new-privileges:true'],
  ReadonlyRootfs: true,
  IpcMode: 'private',
  CgroupnsMode: 'private',
  PidMode: '',
  UsernsMode: '',
  NetworkMode: 'none',
  PortBindings: {},
  PublishAllPorts: false,
  ExtraHosts: [],
  RestartPolicy: { Name: 'no' },
  LogConfig: { Type: 'local', Config: { 'max-size': '10m', 'max-file': '2' } },
} as const

/** Docker's types know no CgroupnsMode yet; the engine does. */
type Create = Omit<ContainerCreateOptions, 'HostConfig'> & { HostConfig: Record<string, unknown> }

const workspaceOf = (volumeName: string) => ({
  Type: 'volume',
  Source: volumeName,
  Target: '/workspace',
  // Without NoCopy an empty volume takes the owner of the image's folder at each create.
  VolumeOptions: { NoCopy: true },
})

/** A sandbox: the profile of design/security.md, section 2. `hostCpus`: the engine refuses to promise more than it has. */
export function sandboxProfile(
  spec: SlotSpec,
  { name, labels, hostCpus }: { name: string; labels: Record<string, string>; hostCpus: number },
): Create {
  const memory = spec.limits.memoryMiB * MiB
  return {
    name,
    Image: spec.image,
    User: `${spec.uid}:${spec.uid}`,
    WorkingDir: '/workspace',
    // HOME, PATH, proxy and mirrors are the image's; nothing of the platform goes in.
    Env: [],
    StopTimeout: 10,
    Labels: labels,
    HostConfig: {
      ...walls,
      Tmpfs: {
        // Docker adds noexec unless exec is written, and native builds run from /tmp.
        '/tmp': 'rw,exec,nosuid,nodev,size=256m,mode=1777',
        '/run': 'rw,noexec,nosuid,nodev,size=16m,mode=1777',
      },
      Mounts: [workspaceOf(spec.volumeName)],
      Memory: memory,
      MemorySwap: memory,
      PidsLimit: spec.limits.pids,
      NanoCpus: Math.round(Math.min(spec.limits.cpus, hostCpus) * 1e9),
      CpuShares: 128,
      BlkioWeight: 100,
      OomScoreAdj: 500,
      ShmSize: 256 * MiB,
      // No nproc: it counts per user over all containers, and a neighbour could block a start.
      Ulimits: [
        { Name: 'nofile', Soft: 4_096, Hard: 8_192 },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'fsize', Soft: 2 * GiB, Hard: 2 * GiB },
      ],
      Init: true,
    },
  }
}

/** The one-shot helper that hands an empty volume to its user: root, but with CHOWN alone and the same walls. */
export function ownerProfile(
  spec: SlotSpec,
  { name, labels }: { name: string; labels: Record<string, string> },
): Create {
  return {
    name,
    Image: spec.image,
    User: '0:0',
    WorkingDir: '/',
    Entrypoint: ['chown'],
    Cmd: [`${spec.uid}:${spec.uid}`, '/workspace'],
    Env: [],
    Labels: labels,
    HostConfig: {
      ...walls,
      CapAdd: ['CHOWN'],
      Mounts: [workspaceOf(spec.volumeName)],
      Memory: 64 * MiB,
      MemorySwap: 64 * MiB,
      PidsLimit: 16,
    },
  }
}
