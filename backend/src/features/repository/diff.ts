import type { Diff, DiffFile, DiffLine, Hunk } from '@guildhall/protocol/repository.ts'
import type { Sha } from '@guildhall/protocol/ids.ts'
import { AppError } from '../../platform/errors.ts'
import { git } from './git.ts'
import { checkedSha } from './names.ts'

const patchLimit = 2 * 1024 * 1024
const options = ['-r', '-M', '-l1000', '--no-color', '--no-ext-diff', '--no-textconv', '--full-index']

/**
 * The change between two commits. Names come from `--raw -z` (exact, whatever bytes they hold), counts from
 * `--numstat`, lines from the patch, which is read by counting: text in a file can never pass for a header.
 */
export async function diffOf(repository: string, from: Sha, to: Sha): Promise<Diff> {
  const range = ['--end-of-options', checkedSha(from), checkedSha(to)]
  const [list, patch] = await Promise.all([
    git(repository, ['diff-tree', '--raw', '--numstat', '-z', ...options, ...range], { maxBytes: 32 * 1024 * 1024 }),
    git(repository, ['diff-tree', '-p', ...options, ...range], { maxBytes: patchLimit }),
  ])
  if (list.cut) throw new AppError('payload_too_large', 'The change touches too many files to show')
  const files = parseList(list.stdout.toString('utf8'))
  const sections = parsePatch(patch.stdout.toString('utf8'), patch.cut)
  let next = 0
  for (const file of files) {
    // Git shows a change of kind (a file that became a link) as a deletion and an addition.
    const parts = sections.slice(next, (next += file.isTypeChange ? 2 : 1))
    file.hunks = parts.flatMap((hunks) => hunks ?? [])
  }
  return {
    from,
    to,
    files: files.map(({ isTypeChange: _, ...file }) => file),
    additions: files.reduce((sum, file) => sum + file.additions, 0),
    deletions: files.reduce((sum, file) => sum + file.deletions, 0),
    truncated: patch.cut,
  }
}

type ListedFile = DiffFile & { isTypeChange: boolean }
const statuses: Record<string, DiffFile['status']> = { A: 'added', D: 'deleted', M: 'modified', T: 'modified' }

function parseList(text: string): ListedFile[] {
  const words = text.split('\0')
  const files: ListedFile[] = []
  let at = 0
  while (words[at]?.startsWith(':')) {
    const letter = words[at]!.split(' ')[4]?.[0] ?? 'M'
    const isMove = letter === 'R' || letter === 'C'
    const path = words[at + (isMove ? 2 : 1)]!
    files.push({
      path,
      oldPath: isMove ? words[at + 1]! : null,
      status: isMove ? 'renamed' : (statuses[letter] ?? 'modified'),
      binary: false,
      additions: 0,
      deletions: 0,
      hunks: [],
      isTypeChange: letter === 'T',
    })
    at += isMove ? 3 : 2
  }
  for (const file of files) {
    // `added<tab>deleted<tab>path`; for a move the path is empty and old and new follow.
    const [added, deleted, path] = (words[at] ?? '').split('\t')
    file.binary = added === '-'
    file.additions = Number(added) || 0
    file.deletions = Number(deleted) || 0
    at += path === '' ? 3 : 1
  }
  return files
}

/** Hunks of each `diff --git` section in order; null for the one that the cut went through. */
function parsePatch(text: string, isCut: boolean): (Hunk[] | null)[] {
  const sections: (Hunk[] | null)[] = []
  const lines = text.split('\n')
  let at = 0
  while (at < lines.length) {
    const line = lines[at++]!
    if (line.startsWith('diff --git ')) sections.push([])
    const header = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/.exec(line)
    if (!header) continue
    const [, oldStart, oldLines = '1', newStart, newLines = '1', heading] = header
    const hunk: Hunk = {
      oldStart: Number(oldStart),
      oldLines: Number(oldLines),
      newStart: Number(newStart),
      newLines: Number(newLines),
      heading: heading ?? '',
      lines: [],
    }
    at = readHunk(lines, at, hunk)
    sections.at(-1)?.push(hunk)
  }
  if (isCut && sections.length > 0) sections[sections.length - 1] = null
  return sections
}

/** Reads exactly as many lines as the header promised; answers where the next thing begins. */
function readHunk(lines: string[], start: number, hunk: Hunk): number {
  let oldLine = hunk.oldStart
  let newLine = hunk.newStart
  const oldEnd = oldLine + hunk.oldLines
  const newEnd = newLine + hunk.newLines
  let at = start
  while ((oldLine < oldEnd || newLine < newEnd) && at < lines.length) {
    const line = lines[at++]!
    const text = line.slice(1)
    const read = (kind: DiffLine['kind'], old: number | null, fresh: number | null) =>
      hunk.lines.push({ kind, text, oldLine: old, newLine: fresh })
    if (line.startsWith('+')) read('added', null, newLine++)
    else if (line.startsWith('-')) read('removed', oldLine++, null)
    else if (line.startsWith(' ')) read('context', oldLine++, newLine++)
    // Anything else is git's own remark ("\ No newline at end of file").
  }
  return at
}

/** The patch as text for a reader with a limit; says how much is missing. */
export async function patchText(repository: string, from: Sha, to: Sha, maxBytes: number): Promise<string> {
  const args = ['diff-tree', '-p', '--stat', ...options, '--end-of-options', checkedSha(from), checkedSha(to)]
  const { stdout, cut } = await git(repository, args, { maxBytes })
  const text = stdout.toString('utf8')
  return cut ? `${text}\n… cut at ${maxBytes} bytes; read the files for the rest\n` : text
}

/** Every path that differs; a rename counts as both of its names. */
export async function pathsBetween(repository: string, from: Sha, to: Sha): Promise<string[]> {
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--end-of-options']
  const { stdout, cut } = await git(repository, [...args, checkedSha(from), checkedSha(to)])
  if (cut) throw new AppError('payload_too_large', 'The change touches too many files')
  return stdout
    .toString('utf8')
    .split('\0')
    .filter((path) => path !== '')
}
