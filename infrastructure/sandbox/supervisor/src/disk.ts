import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { Failure, type DiskState, type DiskUse } from './wire.ts'

const lookEveryMs = 1_000
/** Counting files costs what the files are many; it is repeated after so many times its own length at the earliest. */
const restFactor = 50
const restMs = 5_000
/** At the brink it counts more. */
const restAtBrinkMs = 1_000
/** What the file system took meanwhile, whoever wrote it, is reason to count at once. */
const growthBytes = 32 * 1024 * 1024
const countWithinMs = 120_000
/** Shares of the limit: where it is said, and where it is no longer so. Apart, so that a state does not flutter. */
const near = { from: 0.8, until: 0.75 }
const full = { from: 1, until: 0.98 }
/** Free share of the machine's disk, as df counts it. */
const hostFloor = { from: 0.1, until: 0.11 }
/** A program may write so much while the disk is full (what a clean-up writes); then it is what fills it. */
const patienceBytes = 8 * 1024 * 1024
const maxEnded = 20

/** Ends everything that runs in here, where what writes cannot be told. */
type EndAll = () => void

/**
 * Watches how much of the disk the workspace takes. Quota of a kernel would be better and needs the machine's help;
 * this one refuses writes of the platform's tools and ends programs that go on writing, so a neighbour keeps its space.
 */
export class DiskWatch {
  readonly #root: string
  readonly #endAll: EndAll
  #limitBytes: number | null = null
  #usedBytes = 0
  #state: DiskState = 'ok'
  /** Of the last count: when it ended, how long it took, and what the file system had taken then. */
  #count = { atMs: 0, tookMs: 0, takenBytes: 0 }
  #counting: Promise<void> | null = null
  /** What each process had written when the disk became full. */
  #written: Map<number, number> | null = null
  #usedWhenFull = 0
  #ended: string[] = []
  #lastEndedAtMs = 0

  constructor(root: string, endAll: EndAll) {
    this.#root = root
    this.#endAll = endAll
    const timer = setInterval(() => {
      try {
        this.#look()
      } catch (error) {
        // The workspace was taken away under us: there is nothing left to watch.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        clearInterval(timer)
      }
    }, lookEveryMs)
    timer.unref()
  }

  /** The limit is the platform's to say. Answers once it was counted for the first time. */
  async limit(limitBytes: number): Promise<DiskUse> {
    this.#limitBytes = limitBytes
    if (this.#count.atMs === 0) await this.#measure()
    else this.#judge()
    return this.use()
  }

  use(): DiskUse {
    return { state: this.#state, usedBytes: this.#usedBytes, limitBytes: this.#limitBytes, ended: [...this.#ended] }
  }

  /** Before a tool of the platform writes. */
  admit(): void {
    if (this.#state === 'full') {
      const [used, limit] = [this.#usedBytes, this.#limitBytes ?? 0].map((bytes) => (bytes / 1024 ** 3).toFixed(1))
      throw new Failure(
        'disk_full',
        `The disk of this sandbox is full: ${used} of ${limit} GiB. Delete something first.`,
      )
    }
    if (this.#state === 'host_full') {
      throw new Failure('disk_full', 'The machine has less than a tenth of its disk left: nothing is written any more')
    }
  }

  /** What to add to the words of a program that ended since `sinceMs`, when it was ended for what it wrote. */
  excuse(sinceMs: number): string | null {
    if (this.#lastEndedAtMs < sinceMs) return null
    return 'The disk of this sandbox is full, so what went on writing was stopped. Delete something first.'
  }

  #look(): void {
    const { takenBytes } = this.#host()
    const sinceMs = Date.now() - this.#count.atMs
    const isBrink = this.#state === 'full' || (this.#limitBytes !== null && this.#usedBytes > this.#limitBytes * 0.9)
    const rest = Math.max(isBrink ? restAtBrinkMs : restMs, this.#count.tookMs * (isBrink ? 5 : restFactor))
    const hasGrown = takenBytes - this.#count.takenBytes > growthBytes && sinceMs > this.#count.tookMs * 5
    if (this.#count.atMs > 0 && (sinceMs > rest || hasGrown)) void this.#measure()
    this.#judge()
    if (this.#written) this.#endWriters()
  }

  #host() {
    const { blocks, bfree, bavail, bsize } = statfsSync(this.#root)
    const takenBytes = (blocks - bfree) * bsize
    const freeBytes = bavail * bsize
    // A file system that does not count itself (some networked ones say 0 of 0) is not taken for a full one.
    return { takenBytes, freeShare: blocks === 0 ? 1 : freeBytes / Math.max(1, takenBytes + freeBytes) }
  }

  #measure(): Promise<void> {
    this.#counting ??= this.#du().finally(() => {
      this.#counting = null
    })
    return this.#counting
  }

  /** Blocks, not lengths: what is linked twice counts once, and a hole counts nothing. */
  async #du(): Promise<void> {
    const { takenBytes } = this.#host()
    const began = performance.now()
    const said = await new Promise<string>((resolve) => {
      const options = {
        timeout: countWithinMs,
        maxBuffer: 64 * 1024,
        env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
      }
      // It ends with 1 when a file goes away under it or a folder is closed to us: the sum is what it could see.
      execFile('du', ['-skx', this.#root], options, (_error, stdout) => resolve(stdout))
    })
    const kiB = /^(\d+)\s/m.exec(said)?.[1]
    this.#count = { atMs: Date.now(), tookMs: performance.now() - began, takenBytes }
    if (kiB !== undefined) this.#usedBytes = Number(kiB) * 1024
    this.#judge()
  }

  #judge(): void {
    const before = this.#state
    const was = (state: DiskState) => before === state
    const share = this.#limitBytes === null ? 0 : this.#usedBytes / this.#limitBytes
    const { freeShare } = this.#host()
    if (share >= (was('full') ? full.until : full.from)) this.#state = 'full'
    else if (freeShare < (was('host_full') ? hostFloor.until : hostFloor.from)) this.#state = 'host_full'
    else if (share >= (was('ok') ? near.from : near.until)) this.#state = 'near'
    else this.#state = 'ok'
    const isFull = this.#state === 'full' || this.#state === 'host_full'
    if (!isFull) {
      this.#written = null
      this.#ended = []
    } else if (!this.#written) {
      this.#written = writtenBytes()
      this.#usedWhenFull = this.#usedBytes
    }
  }

  #endWriters(): void {
    const before = this.#written!
    for (const [pid, bytes] of writtenBytes()) {
      if (bytes - (before.get(pid) ?? 0) < patienceBytes) continue
      const name = nameOf(pid)
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') continue
        throw error
      }
      this.#noteEnded(name)
    }
    // It grows and no program says that it wrote (a preallocated file does that, or a system without /proc).
    if (this.#state === 'full' && this.#usedBytes - this.#usedWhenFull > patienceBytes * 8) {
      this.#usedWhenFull = this.#usedBytes
      this.#endAll()
      this.#noteEnded('everything that ran')
    }
  }

  #noteEnded(name: string): void {
    this.#lastEndedAtMs = Date.now()
    if (this.#ended.length < maxEnded && !this.#ended.includes(name)) this.#ended.push(name)
  }
}

/** What each process here but ourselves has given to the disk, from its start on. Empty where /proc does not tell. */
function writtenBytes(): Map<number, number> {
  const found = new Map<number, number>()
  for (const name of processes()) {
    const pid = Number(name)
    if (pid === process.pid || pid === 1) continue
    const io = textOf(`/proc/${name}/io`)
    const count = (field: string) => Number(new RegExp(`^${field}: (\\d+)$`, 'm').exec(io ?? '')?.[1] ?? 0)
    if (io !== null) found.set(pid, count('write_bytes') - count('cancelled_write_bytes'))
  }
  return found
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    // A system without /proc.
    return []
  }
}

/** Whatever the program calls itself: only for people's eyes, and only what can be shown. */
const nameOf = (pid: number) => (textOf(`/proc/${pid}/comm`) ?? 'a program').replace(/[^\x20-\x7e]/g, '').slice(0, 32)

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // It has ended meanwhile, or its memory is closed to us.
    return null
  }
}
