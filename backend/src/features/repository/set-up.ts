import { AppError } from '../../platform/errors.ts'
import { checkedBranch } from './names.ts'
import { type Inside, inside, workTreePath } from './work-trees.ts'

/** Told what happens while dependencies are brought in; may be called often. */
export type OnProgress = (text: string) => void

// The key says what a set-up depended on: the command and the files that name the dependencies. It is kept in the work
// tree's own git folder, where it is no part of the project and dies with the work tree.
const keyFunctions = `
key_of() {
  cd "$1" || exit 1
  set -- "$2"
  for file in package.json package-lock.json pnpm-lock.yaml yarn.lock requirements.txt pyproject.toml uv.lock; do
    if [ -f "$file" ]; then set -- "$@" "$file"; fi
  done
  command=$1; shift
  { printf '%s\\n' "$command" "$@"; if [ $# -gt 0 ]; then git hash-object --no-filters -- "$@"; fi; } | git hash-object --stdin
}
key_file() { echo "$(git -C "$1" rev-parse --absolute-git-dir)/guildhall-setup"; }
is_kept() {
  [ "$(cat "$1" 2>/dev/null)" = "$2" ] && { [ ! -f "$3/package-lock.json" ] || [ -d "$3/node_modules" ]; }
}
`

// Hard links: the same files under a second name, no second copy on the disk. What tools rewrite in place is not shared.
const lookScript = `${keyFunctions}
branch=$1
key=$(key_of "$branch" "$2") && file=$(key_file "$branch") || exit 1
if is_kept "$file" "$key" "$branch"; then echo ready; exit 0; fi
if [ "$branch" = main ] || [ -e "$branch/node_modules" ] || [ ! -d main/node_modules ]; then echo needed; exit 0; fi
if [ "$(key_of main "$2")" != "$key" ] || ! is_kept "$(key_file main)" "$key" main; then echo needed; exit 0; fi
link=.guildhall/link.$$
mkdir -p .guildhall
if cp -al main/node_modules "$link" 2>/dev/null; then
  rm -rf "$link/.vite" "$link/.vite-temp" "$link/.cache"
  if [ -f main/node_modules/.package-lock.json ]; then
    rm -f "$link/.package-lock.json" && cp -p main/node_modules/.package-lock.json "$link/.package-lock.json"
  fi
  mv "$link" "$branch/node_modules" && echo "$key" >"$file" || exit 1
  echo linked
else
  rm -rf "$link"; echo needed
fi
`

const keepKeyScript = `${keyFunctions}
file=$(key_file "$1") && key_of "$1" "$2" >"$file"
`

const setUpTimeoutMs = 600_000
const quietMs = 180_000
const tailLength = 4_000

/**
 * Brings a work tree's dependencies in, unless they are there for exactly these lockfiles. A branch with main's
 * dependencies gets them as hard links; else the template's command runs. Throws `unavailable` with the true output.
 */
export async function bringDependencies(
  session: Inside,
  { branch, command, onProgress }: { branch: string; command: string | null; onProgress?: OnProgress },
): Promise<'ready' | 'linked' | 'installed'> {
  if (!command) return 'ready'
  const args = [checkedBranch(branch), command]
  const found = (await inside(session, { script: lookScript, args, cwd: '/workspace' })).trim()
  if (found === 'ready' || found === 'linked') return found
  onProgress?.(`$ ${command}\n`)
  const outcome = await session.exec({
    argv: ['sh', '-c', command],
    cwd: workTreePath(branch),
    timeoutMs: setUpTimeoutMs,
    quietMs,
    maxBytes: 1024 * 1024,
    onOutput: (_stream, chunk) => onProgress?.(chunk.toString('utf8')),
  })
  if (outcome.exitCode !== 0) {
    const output = Buffer.concat([outcome.stdout, outcome.stderr]).toString('utf8').trim().slice(-tailLength)
    const how = outcome.timedOut ? 'took too long' : `ended with ${outcome.exitCode ?? outcome.signal}`
    throw new AppError('unavailable', `\`${command}\` ${how}\n${output}`)
  }
  await inside(session, { script: keepKeyScript, args, cwd: '/workspace' })
  return 'installed'
}
