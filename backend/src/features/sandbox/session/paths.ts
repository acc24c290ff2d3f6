import { forbidden } from '../../../platform/errors.ts'

export const workspace = '/workspace'

/**
 * Where /workspace really is. In a container that is /workspace; for the local driver a folder of this machine, and
 * then arguments and environment are translated too, wherever they name a path below /workspace.
 */
export function createPaths(root: string) {
  const isTranslated = root !== workspace
  return {
    /** For files: absolute, under /workspace, no way out and nothing of git's own. */
    file(path: string): string {
      const names = path.split('/')
      if (!isInside(path) || path.includes('\0')) throw forbidden(`${path} is outside ${workspace}`)
      if (names.includes('..')) throw forbidden(`${path} leaves its folder`)
      if (names.some(isGitName)) throw forbidden('Files of .git are changed by git alone')
      return root + path.slice(workspace.length)
    },
    folder(path: string): string {
      if (!isInside(path) || path.includes('\0')) throw forbidden(`${path} is outside ${workspace}`)
      if (path.split('/').includes('..')) throw forbidden(`${path} leaves its folder`)
      return root + path.slice(workspace.length)
    },
    words: (words: string[]): string[] => (isTranslated ? words.map(translate) : words),
    environment: (env: Record<string, string>): Record<string, string> =>
      isTranslated ? Object.fromEntries(Object.entries(env).map(([name, value]) => [name, translate(value)])) : env,
    /** A path as the sandbox said it, in the words of the caller. */
    shown: (path: string): string => (path.startsWith(root) ? workspace + path.slice(root.length) : path),
  }

  function translate(text: string): string {
    return text.replace(/(?<![\w./-])\/workspace(?=\/|$|[^\w.-])/g, () => root)
  }
}
export type Paths = ReturnType<typeof createPaths>

const isInside = (path: string) => path === workspace || path.startsWith(`${workspace}/`)

/** `.git` and what file systems take for it: another case, trailing dots or spaces, ignored code points. */
const isGitName = (name: string) =>
  /^\.git$/i.test(
    name
      .normalize('NFKC')
      .replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '')
      .replace(/[. ]+$/, ''),
  ) || /^git~1$/i.test(name)
