import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { devNull, homedir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Registries } from './packument.ts'
import type { Way } from './upstream.ts'

const run = promisify(execFile)

/** The address of a folder of things: relative names are resolved below it. */
function asFolder(address: string): URL {
  const url = address.startsWith('/') ? pathToFileURL(address) : new URL(address)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/**
 * The npm registry this machine is configured for, and how it is reached (certificates, proxy), as its own npm says;
 * `registry` (NPM_REGISTRY) wins. Read outside any project, so that a project's .npmrc never counts.
 */
export async function readNpmSettings(registry: string | null): Promise<{ registries: Registries; way: Way }> {
  const names = ['registry', 'cafile', 'https-proxy', 'proxy', 'noproxy']
  // npm prints `name=value`, one a line, when asked for several; unset ones as null or undefined.
  const [{ stdout }, canonical] = await Promise.all([
    run('npm', ['config', 'get', ...names], { cwd: homedir(), timeout: 30_000 }),
    readNpmDefault(),
  ])
  const settings = new Map(
    stdout
      .split('\n')
      .map((line) => /^([a-z-]+)=(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map((match) => [match[1]!, match[2]!.trim()] as const)
      .filter(([, value]) => value !== '' && value !== 'null' && value !== 'undefined'),
  )
  const cafile = settings.get('cafile')
  // Node before 22.15 cannot say which certificates it trusts beyond its own list.
  const trusted = typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
  const ca = cafile ? [...trusted, await readFile(cafile, 'utf8')] : null
  const https = settings.get('https-proxy') ?? settings.get('proxy')
  const proxy = {
    ...process.env,
    ...(https ? { HTTPS_PROXY: https, HTTP_PROXY: settings.get('proxy') ?? https } : {}),
    ...(settings.has('noproxy') ? { NO_PROXY: settings.get('noproxy')! } : {}),
  }
  const address = registry ?? settings.get('registry')
  if (!address) throw new Error('npm names no registry; set NPM_REGISTRY')
  return { registries: { upstream: asFolder(address), canonical }, way: { ca, proxy } }
}

/** The registry npm uses when nobody configured one. npm knows it itself; we do not write it down. */
async function readNpmDefault(): Promise<URL> {
  // Two names of files that are not there: npm refuses to read one file twice.
  const nobodys = ['--userconfig', join(devNull, 'user'), '--globalconfig', join(devNull, 'global')]
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_config_registry$/i.test(name)))
  const { stdout } = await run('npm', ['config', 'get', 'registry', ...nobodys], {
    cwd: homedir(),
    env,
    timeout: 30_000,
  })
  return asFolder(stdout.trim())
}

/**
 * Python's package indexes as this machine's pip is configured: the index, then extra ones; `wanted` (PYPI_INDEX, several
 * parted by spaces) wins. Empty when nothing is set and there is no pip to ask.
 */
export async function readPypiIndexes(wanted: string | null): Promise<URL[]> {
  if (wanted) return wanted.split(/\s+/).filter(Boolean).map(asFolder)
  try {
    const options = { cwd: homedir(), timeout: 30_000 }
    const { stdout } = await run('python3', ['-m', 'pip', 'config', 'list'], options)
    const settings = new Map([...stdout.matchAll(/^(\S+)='(.*)'$/gm)].map(([, name, value]) => [name!, value!]))
    const read = (name: string) =>
      [':env:', 'install', 'global'].map((at) => settings.get(`${at}.${name}`)).find(Boolean)
    // pip knows its default itself; we do not write it down.
    const standard = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'
    const index = read('index-url') ?? (await run('python3', ['-c', standard], options)).stdout.trim()
    return [index, ...(read('extra-index-url') ?? '').split(/\\n|\s+/)].filter(Boolean).map(asFolder)
  } catch {
    // No python3 or no pip on this machine: then Python packages need PYPI_INDEX, and the mirror says so when asked.
    return []
  }
}
