import { AppError } from '../../platform/errors.ts'
import { checkedBranch } from './names.ts'
import { type Inside, inside, workTreePath } from './work-trees.ts'

/** Told what happens while dependencies are brought in; may be called often. */
export type OnProgress = (text: string) => void

// The key says what a set-up depended on: the command and the files that name the dependencies. It is kept in the work
// tree's own git folder, where it is no part of the project and dies with the work tree.
const keyFunctions = `
git_folder() { git -C "$1" rev-parse --absolute-git-dir; }
key_of() {
  { printf '%s\\n' "$2"
    for file in package.json package-lock.json pnpm-lock.yaml yarn.lock requirements.txt pyproject.toml uv.lock; do
      if [ -f "$1/$file" ]; then printf '%s ' "$file"; git -C "$1" hash-object --no-filters "$file"; fi
    done
  } | git hash-object --stdin
}
kept_key() { cat "$(git_folder "$1")/guildhall-setup" 2>/dev/null || echo none; }
is_ready() {
  [ "$(kept_key "$1")" = "$(key_of "$1" "$2")" ] && { [ ! -f "$1/package-lock.json" ] || [ -d "$1/node_modules" ]; }
}
`

// Hard links: the same files under a second name, no second copy on the disk. What tools rewrite in place is not shared.
const lookScript = `${keyFunctions}
branch=$1 command=$2
if is_ready "$branch" "$command"; then echo ready; exit 0; fi
if [ "$branch" = main ] || [ -e "$branch/node_modules" ] || [ ! -d main/node_modules ]; then echo needed; exit 0; fi
if ! is_ready main "$command" || [ "$(key_of main "$command")" != "$(key_of "$branch" "$command")" ]; then
  echo needed; exit 0
fi
link=.guildhall/link.$$
mkdir -p .guildhall
if cp -al main/node_modules "$link" 2>/dev/null; then
  rm -rf "$link/.vite" "$link/.vite-temp" "$link/.cache"
  if [ -f main/node_modules/.package-lock.json ]; then
    rm -f "$link/.package-lock.json" && cp -p main/node_modules/.package-lock.json "$link/.package-lock.json"
  fi
  mv "$link" "$branch/node_modules" && key_of "$branch" "$command" >"$(git_folder "$branch")/guildhall-setup" || exit 1
  echo linked
else
  rm -rf "$link"; echo needed
fi
`

const keepKeyScript = `${keyFunctions}
key_of "$1" "$2" >"$(git_folder "$1")/guildhall-setup"
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
