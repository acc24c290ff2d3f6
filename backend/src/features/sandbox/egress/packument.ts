/**
 * npm's documents of a package (its "packuments"), as this mirror passes them on. Only the fields read here are named;
 * what a registry sends is checked where it is used, never trusted.
 */

/**
 * `upstream` is the registry this machine is configured for. `canonical` is npm's own default, which npm maps to
 * "whatever registry is configured" (`replace-registry-host`): tarballs are named by it in our answers, so that npm
 * inside fetches them from the mirror and no lockfile of a user ever names the mirror. It is never called.
 */
export type Registries = { upstream: URL; canonical: URL }

/** Where a package file really is, and what it must hash to. */
export type PackageFile = { url: string; integrity: string | null; shasum: string | null }
export type Files = Record<string, PackageFile>

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null)

/** What npm's short form (`application/vnd.npm.install-v1+json`) carries for each version. */
const shortFields = [
  'name',
  'version',
  'deprecated',
  'dependencies',
  'optionalDependencies',
  'devDependencies',
  'bundleDependencies',
  'bundledDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'acceptDependencies',
  'bin',
  'directories',
  'dist',
  'engines',
  'os',
  'cpu',
  'libc',
  'hasInstallScript',
  '_hasShrinkwrap',
]

function shortVersion(version: Record<string, unknown>): Record<string, unknown> {
  const short: Record<string, unknown> = {}
  for (const field of shortFields) if (version[field] !== undefined) short[field] = version[field]
  const scripts = isRecord(version['scripts']) ? version['scripts'] : {}
  if (scripts['preinstall'] || scripts['install'] || scripts['postinstall']) short['hasInstallScript'] = true
  return short
}

/**
 * `document` with canonical tarball addresses, in the short or the full form, and the table of its files. A registry
 * that always sends the full form is shortened here: it is up to thirty times longer and nobody inside reads the rest.
 * Returns null when it is not a package document of that name.
 */
export function rewritePackument(name: string, document: string, form: 'short' | 'full', registries: Registries) {
  let parsed: unknown
  try {
    parsed = JSON.parse(document)
  } catch {
    return null
  }
  if (!isRecord(parsed) || parsed['name'] !== name || !isRecord(parsed['versions'])) return null
  const files: Files = {}
  const versions: Record<string, unknown> = {}
  for (const [number, version] of Object.entries(parsed['versions'])) {
    if (!isRecord(version) || !isRecord(version['dist'])) continue
    const original = textOrNull(version['dist']['tarball'])
    const file = `${name.split('/').at(-1)}-${number}.tgz`
    files[file] = {
      url: tarballAddress(original, name, file, registries.upstream),
      integrity: textOrNull(version['dist']['integrity']),
      shasum: textOrNull(version['dist']['shasum']),
    }
    const dist = { ...version['dist'], tarball: new URL(`${name}/-/${file}`, registries.canonical).href }
    versions[number] = { ...(form === 'short' ? shortVersion(version) : version), dist }
  }
  const time = isRecord(parsed['time']) ? parsed['time'] : {}
  const passedOn =
    form === 'full'
      ? { ...parsed, versions }
      : { name, 'dist-tags': parsed['dist-tags'], versions, modified: parsed['modified'] ?? time['modified'] }
  return { text: JSON.stringify(passedOn), files }
}

/** A registry that names its own files is believed; one that names the canonical or another host is asked itself. */
function tarballAddress(original: string | null, name: string, file: string, registry: URL): string {
  const standard = (lastPart: string) => new URL(`${name}/-/${lastPart}`, registry).href
  if (original === null || !URL.canParse(original)) return standard(file)
  const url = new URL(original)
  return url.origin === registry.origin ? url.href : standard(url.pathname.split('/').at(-1) || file)
}
