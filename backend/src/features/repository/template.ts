import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { git } from './git.ts'
import { checkedPath } from './names.ts'
import { findCommit, house } from './objects.ts'

/** What never belongs into a first commit, whatever lies in the template's folder on this machine. */
const left = new Set(['.git', 'node_modules', 'dist', '.DS_Store', '__pycache__', '.venv'])

/** Used when a template brings no `.gitignore` of its own. */
const defaultIgnores = ['node_modules/', 'dist/', '.venv/', '__pycache__/', '.env', '.env.*', '*.log', ''].join('\n')

interface TemplateFile {
  path: string
  mode: '100644' | '100755' | '120000'
  content: Buffer
}

async function filesOf(folder: string, prefix = ''): Promise<TemplateFile[]> {
  const files: TemplateFile[] = []
  const entries = await readdir(join(folder, prefix), { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (left.has(entry.name)) continue
    const path = prefix ? `${prefix}/${entry.name}` : entry.name
    const full = join(folder, path)
    if (entry.isDirectory()) files.push(...(await filesOf(folder, path)))
    else if (entry.isSymbolicLink()) files.push({ path, mode: '120000', content: Buffer.from(await readlink(full)) })
    else if (entry.isFile()) {
      const isProgram = ((await stat(full)).mode & 0o100) !== 0
      files.push({ path, mode: isProgram ? '100755' : '100644', content: await readFile(full) })
    }
  }
  return files
}

/** The stream that `git fast-import` reads: one commit with all files. */
function firstCommit(files: TemplateFile[], slug: string): Buffer {
  const seconds = Math.floor(Date.now() / 1_000)
  const message = `chore: start from the ${slug} template\n`
  const parts: Buffer[] = [
    Buffer.from(
      `commit refs/heads/main\nauthor ${house.name} <${house.email}> ${seconds} +0000\n` +
        `committer ${house.name} <${house.email}> ${seconds} +0000\ndata ${Buffer.byteLength(message)}\n${message}`,
    ),
  ]
  for (const { path, mode, content } of files) {
    const name = `"${checkedPath(path).replace(/["\\]/g, '\\$&')}"`
    parts.push(Buffer.from(`M ${mode} inline ${name}\ndata ${content.length}\n`), content, Buffer.from('\n'))
  }
  parts.push(Buffer.from('done\n'))
  return Buffer.concat(parts)
}

/**
 * A bare repository with the template as main's first commit. It is made beside its place and renamed, so a repository
 * that exists is always whole; one that exists is left alone.
 */
export async function makeRepository(repository: string, templateFolder: string, slug: string): Promise<void> {
  // Whoever makes it holds the project's lease: what lies beside its place is of somebody who died.
  await removeUnfinished(repository)
  if (await isRepository(repository)) return
  const files = await filesOf(templateFolder)
  if (!files.some(({ path }) => path === '.gitignore')) {
    files.push({ path: '.gitignore', mode: '100644', content: Buffer.from(defaultIgnores) })
  }
  await mkdir(dirname(repository), { recursive: true, mode: 0o700 })
  const making = `${repository}.${randomBytes(6).toString('hex')}.making`
  try {
    await mkdir(making, { mode: 0o700 })
    await git(making, ['init', '--quiet', '--bare', '--template=', '--initial-branch=main'])
    await git(making, ['fast-import', '--quiet', '--done', '--date-format=raw'], { stdin: firstCommit(files, slug) })
    await rename(making, repository).catch(async (error: unknown) => {
      // Another process was faster; its repository is as good.
      if (!(await isRepository(repository))) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}

/** Removes what a crash left of a repository that was being made. */
export async function removeUnfinished(repository: string): Promise<void> {
  const folder = dirname(repository)
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names)
    if (name.startsWith(`${basename(repository)}.`) && name.endsWith('.making'))
      await rm(join(folder, name), { recursive: true, force: true })
}

async function isRepository(repository: string): Promise<boolean> {
  const isThere = await stat(join(repository, 'HEAD')).then(
    () => true,
    () => false,
  )
  return isThere && (await findCommit(repository, 'main')) !== null
}
