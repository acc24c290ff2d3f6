import type { SlotSpec } from '../driver.ts'

/** One thing that must be so inside a sandbox: a shell command run there as its user, and what it must say. */
export type Fact = { name: string; command: string; expected: string }

const MiB = 1024 * 1024

/** Where the kernel says how much of a thing this container may have: cgroup v2, else v1. */
const limitOf = (v2: string, v1: string) => `cat /sys/fs/cgroup/${v2} /sys/fs/cgroup/${v1}`
/** How a place is mounted; the mount table cannot be argued with, while a failed write may have many reasons. */
const modeOf = (place: string) => `awk '$5 == "${place}" { print substr($6, 1, 2) }' /proc/self/mountinfo`

/**
 * The walls of a sandbox as code inside it meets them. The one list of them: the test of the profile reads it, and the
 * gate before the first sandbox of a process does (self-test.ts).
 */
export const walls = ({ uid, limits }: Pick<SlotSpec, 'uid' | 'limits'>): Fact[] => [
  {
    name: 'no capability, in no set',
    command: 'grep -E "^Cap" /proc/self/status | cut -f2 | sort -u',
    expected: '0000000000000000',
  },
  { name: 'no new privileges', command: 'grep NoNewPrivs /proc/self/status | cut -f2', expected: '1' },
  { name: 'a seccomp filter', command: 'grep ^Seccomp: /proc/self/status | cut -f2', expected: '2' },
  { name: 'the user of its slot, not root', command: 'id -u; id -g', expected: `${uid}\n${uid}` },
  { name: 'no other group', command: 'id -G', expected: String(uid) },
  { name: 'a root that is mounted read-only', command: modeOf('/'), expected: 'ro' },
  {
    name: 'a root that cannot be written',
    command: 'touch /x 2>&1 | grep -o "Read-only file system"',
    expected: 'Read-only file system',
  },
  { name: '/etc that cannot be written', command: 'echo x > /etc/passwd; echo $?', expected: '1' },
  {
    name: 'a supervisor that cannot be replaced',
    command: 'rm -f /opt/guildhall/supervisor/src/main.ts; echo $?',
    expected: '1',
  },
  {
    // Some kernels put devices for tunnels into every network namespace; they are down and lead nowhere.
    name: 'the loopback interface alone',
    command: 'for d in /sys/class/net/*; do [ $(($(cat $d/flags) & 1)) = 1 ] && basename $d; done',
    expected: 'lo',
  },
  {
    name: 'no route',
    command: `tail -n +2 /proc/net/route | wc -l; awk '$10 != "lo"' /proc/net/ipv6_route | wc -l`,
    expected: '0\n0',
  },
  {
    // The kernel's own file systems, memory, and what the engine lays over /etc are no folders of the host.
    name: 'nothing of the host but its own volume',
    command: `awk '{ print $5 }' /proc/self/mountinfo | grep -vE '^/(proc|sys)/' | sort -u |
      grep -vE '^/(|proc|sys|dev|dev/(pts|shm|mqueue|console|init)|run|run/[.]containerenv|tmp)$' |
      grep -vE '^/(etc/(hosts|hostname|resolv[.]conf)|(usr/)?s?bin/docker-init)$'`,
    expected: '/workspace',
  },
  {
    // find trusts the folder's word for what a name is, and a file that was mounted over hides from it (tried).
    name: 'no engine socket',
    command: `{ awk '{ print $5 }' /proc/self/mountinfo | while read -r place; do [ -S "$place" ] && echo $place; done
      find /run /var /tmp /dev /etc /home /root /srv /mnt /opt /workspace -type s; } | grep -v ^/run/guildhall/ | wc -l`,
    expected: '0',
  },
  {
    name: 'the supervisor’s sockets for its own user alone',
    command: 'stat -c %a /run/guildhall /run/guildhall/ctl.sock | tr "\\n" " "',
    expected: '700 600',
  },
  {
    name: 'no process of the host',
    command: 'cat /proc/1/comm | grep -cE "init|tini|catatonit"; [ $(ls -d /proc/[0-9]* | wc -l) -lt 40 ] && echo few',
    expected: '1\nfew',
  },
  {
    name: 'masked kernel memory',
    command: '[ -f /proc/kcore ] && echo there || echo masked; [ -f /proc/keys ] && echo there || echo masked',
    expected: 'masked\nmasked',
  },
  { name: 'kernel settings that cannot be written', command: modeOf('/proc/sys'), expected: 'ro' },
  { name: 'no sysfs to write', command: modeOf('/sys'), expected: 'ro' },
  {
    name: 'no mounting',
    command: 'mount -t tmpfs none /mnt; [ $? -ne 0 ] && echo refused',
    expected: 'refused',
  },
  { name: 'no user namespaces', command: 'unshare -U true; [ $? -ne 0 ] && echo refused', expected: 'refused' },
  { name: 'no device nodes', command: 'mknod /tmp/sda b 8 0; echo $?', expected: '1' },
  { name: 'no block device', command: 'find /dev -type b | wc -l', expected: '0' },
  {
    name: 'no changing of owners',
    command: 'touch /tmp/own && chown 0:0 /tmp/own; echo $?; rm -f /tmp/own',
    expected: '1',
  },
  {
    name: 'no set-user-id that works',
    command: `awk '$5 == "/tmp" && $6 ~ /nosuid/ || $5 == "/" { n++ } END { print n }' /proc/self/mountinfo
      cp /bin/bash /tmp/b && chmod u+s /tmp/b && /tmp/b -p -c "id -u" | grep -c "^0$"; rm -f /tmp/b`,
    expected: '2\n0',
  },
  {
    name: 'a pids limit',
    command: limitOf('pids.max', 'pids/pids.max'),
    expected: String(limits.pids),
  },
  {
    name: 'a memory limit',
    command: limitOf('memory.max', 'memory/memory.limit_in_bytes'),
    expected: String(limits.memoryMiB * MiB),
  },
  {
    name: 'a limit on processor time',
    command: `${limitOf('cpu.max', 'cpu/cpu.cfs_quota_us')} | awk '$1 != "max" && $1 > 0 { print "limited" }'`,
    expected: 'limited',
  },
  { name: 'no core dumps', command: 'ulimit -c', expected: '0' },
  // Node raises the soft limit to this when it starts, and its children inherit that.
  { name: 'a limit on open files', command: 'ulimit -Hn', expected: '8192' },
  { name: 'a limit on the size of a file', command: 'ulimit -f', expected: String(2 * 1024 * 1024) },
  {
    name: 'no secret in its environment',
    command: 'env | cut -d= -f1 | grep -E "KEY|SECRET|TOKEN|PASSWORD|DATABASE|REDIS|JWT"',
    expected: '',
  },
]

/** What makes a sandbox usable rather than closed. Only the test asks: without them work fails and says so itself. */
export const comforts: Fact[] = [
  { name: 'a user with a name', command: 'whoami | cut -c1-3', expected: 's20' },
  { name: 'a workspace of its own', command: 'stat -c %u /workspace | grep -c "^$(id -u)$"', expected: '1' },
  { name: 'a home inside it', command: 'echo $HOME; touch $HOME/x && echo ok', expected: '/workspace/.home\nok' },
  {
    name: 'a temporary folder that runs programs',
    command: 'printf "#!/bin/sh\\necho ran" > /tmp/p && chmod +x /tmp/p && /tmp/p',
    expected: 'ran',
  },
  { name: 'Node 24', command: 'node -p "process.versions.node.split(\'.\')[0]"', expected: '24' },
]

/** All facts as one script: each in a shell of its own, their answers parted by a sign no answer has. */
export const asScript = (facts: readonly Fact[]): string =>
  facts.map(({ command }) => `( ${command}\n) 2>/dev/null </dev/null; printf '\\036'`).join('\n')

/** What each fact said, in their order; null where the script did not get that far. */
export function readAnswers(facts: readonly Fact[], output: string): { fact: Fact; said: string | null }[] {
  const answers = output.split('\x1e')
  return facts.map((fact, index) => ({ fact, said: index < answers.length - 1 ? answers[index]!.trim() : null }))
}
