/** A path inside the work tree, or why it is refused. */
export type Fenced = { path: string } | { refusal: string }

/**
 * The work tree is the fence: relative paths only, no step up, nothing in git's own folder. Spellings that some file
 * systems read as `.git` are refused too. Symbolic links are the sandbox's to follow: it holds nothing of ours.
 */
export function fence(wanted: string, root: string): Fenced {
  if (wanted.includes('\0')) return { refusal: 'A path holds no NUL character. Write the path again.' }
  if (wanted === root || wanted.startsWith(`${root}/`)) {
    const relative = wanted.slice(root.length + 1) || '.'
    return { refusal: `Paths are relative to your work tree. Use \`${relative}\`.` }
  }
  if (wanted.startsWith('/') || wanted.startsWith('~'))
    return { refusal: `\`${wanted}\` is outside your work tree. Use a path relative to it, such as \`src/index.ts\`.` }
  const parts = wanted.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..'))
    return { refusal: `\`${wanted}\` steps up with \`..\`. Name the path from the top of your work tree.` }
  if (
    parts.some((part) =>
      /^(?:\.git|git~1)$/i.test(
        part.replaceAll(/[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '').replace(/[. ]+$/, ''),
      ),
    )
  )
    return { refusal: `\`${wanted}\` belongs to git. Use the commit tool, or git in shell, instead.` }
  return { path: parts.join('/') || '.' }
}

const pairs = (text: string) => {
  const found = new Set<string>()
  for (let index = 0; index < text.length - 1; index += 1) found.add(text.slice(index, index + 2))
  return found
}

/** How alike two short texts are, 0 to 1, by shared pairs of letters. */
export function alikeness(left: string, right: string): number {
  if (left === right) return 1
  const a = pairs(left)
  const b = pairs(right)
  if (a.size === 0 || b.size === 0) return 0
  let shared = 0
  for (const pair of a) if (b.has(pair)) shared += 1
  return (2 * shared) / (a.size + b.size)
}

/** The three paths most like `wanted`: the file's name counts most, then the folders. */
export function nearestPaths(wanted: string, paths: string[]): string[] {
  const name = (path: string) => path.slice(path.lastIndexOf('/') + 1).toLowerCase()
  return paths
    .map((path) => ({ path, score: 2 * alikeness(name(wanted), name(path)) + alikeness(wanted, path) }))
    .filter(({ score }) => score > 0.6)
    .sort((left, right) => right.score - left.score || left.path.localeCompare(right.path))
    .slice(0, 3)
    .map(({ path }) => path)
}
