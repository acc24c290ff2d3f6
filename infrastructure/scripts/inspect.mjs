// What this machine has of what Guildhall needs or can use: `{ name, ok, text, help? }`, ok null = not needed.
import { root, read } from './shell.mjs'
import { statfsSync } from 'node:fs'

export function inspect() {
  return [nodeVersion(), gitVersion(), disk(), modelKey(), redis(), database()]
}

function nodeVersion() {
  const where = process.execPath.startsWith(root) ? 'in .toolchain, for this clone only' : process.execPath
  return { name: 'Node', ok: true, text: `${process.versions.node} (${where})` }
}

function gitVersion() {
  const version = /(\d+)\.(\d+)[.\d]*/.exec(read('git', ['--version']) ?? '')
  if (!version) return { name: 'git', ok: false, text: 'missing', help: 'install git 2.38 or newer' }
  const [text, major, minor] = version
  // merge-tree --write-tree, which merges without a work tree, came with 2.38.
  const ok = Number(major) > 2 || Number(minor) >= 38
  return { name: 'git', ok, text: ok ? text : `${text} is too old`, ...(!ok && { help: 'install git 2.38 or newer' }) }
}

function disk() {
  const { bavail, bsize } = statfsSync(root)
  const gigabytes = (bavail * bsize) / 1e9
  const ok = gigabytes > 3
  const text = `${gigabytes.toFixed(0)} GB free`
  return { name: 'disk', ok, text, ...(!ok && { help: 'the sandbox image and its build take about 3 GB' }) }
}

function modelKey() {
  if (process.env.ANTHROPIC_API_KEY) {
    const base = process.env.ANTHROPIC_BASE_URL
    return { name: 'models', ok: true, text: `ANTHROPIC_API_KEY is set${base ? ` (${base})` : ''}` }
  }
  const text = 'no key is set: agents cannot answer. Set ANTHROPIC_API_KEY, or see the whole path with make demo'
  return { name: 'models', ok: null, text }
}

const redis = () => ({
  name: 'Redis',
  ok: null,
  text: process.env.REDIS_URL ? 'as REDIS_URL says' : 'not used (one process needs none)',
})

const database = () => ({
  name: 'PostgreSQL',
  ok: null,
  text: process.env.DATABASE_URL ? 'as DATABASE_URL says' : 'our own, in the data folder',
})
